package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/varvedb/varve/cmd/varve/credentials"
	"github.com/varvedb/varve/cmd/varve/https"
	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

// client asks a node.
type client struct {
	host  string
	https https.Options
	credentials.Credentials
	agent string
	http  *http.Client // set by check
}

// check makes a URL of the host, which may be given without a scheme.
func (c *client) check() error {
	if !strings.Contains(c.host, "://") {
		c.host = "http://" + c.host
	}
	u, err := url.Parse(c.host)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--host %q is not an address such as %s", c.host, defaultHost)
	}
	c.host = strings.TrimSuffix(c.host, "/")
	t, err := c.https.Transport()
	if err != nil {
		return err
	}
	c.http = &http.Client{Transport: t}
	return nil
}

func (c *client) get(ctx context.Context, path string, answer any) error {
	return c.ask(ctx, http.MethodGet, path, nil, answer)
}

func (c *client) post(ctx context.Context, path string, request, answer any) error {
	return c.ask(ctx, http.MethodPost, path, request, answer)
}

// maxFailure bounds how much of a refusal is read.
const maxFailure = 1 << 20

// ask sends a request, and reads the answer into answer unless that is nil.
func (c *client) ask(ctx context.Context, method, path string, request, answer any) error {
	var body io.Reader
	if request != nil {
		b, err := json.Marshal(request)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.host+adminapi.Prefix+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", c.agent)
	c.Sign(req)
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w (is varved running there?)", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return failure(resp)
	}
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

// refusal is what a node said with a status that is not success.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// isGone reports whether a node said that there is no such thing.
func isGone(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == http.StatusNotFound
}

// failure gives what a node said with a status that is not success.
func failure(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFailure))
	if err != nil {
		return fmt.Errorf("%s: %w", resp.Status, err)
	}
	var e adminapi.Error
	if json.Unmarshal(body, &e) == nil && e.Error != "" {
		return &refusal{resp.StatusCode, e.Error}
	}
	if resp.StatusCode == http.StatusNotFound {
		return errors.New("the server there does not know this: is it a Varve of this version?")
	}
	return fmt.Errorf("%s: %.200s", resp.Status, bytes.TrimSpace(body))
}
