package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/varvedb/varve/cmd/varve/credentials"
)

// client speaks HTTP to one server.
type client struct {
	http *http.Client
	url  string // without a final slash
	credentials.Credentials
}

// message is a remark of the server beside a result.
type message struct {
	Level string `json:"level"`
	Text  string `json:"text"`
}

// series is rows of one result, in the order the server sent them.
type series struct {
	Name    string            `json:"name,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"`
	Columns []string          `json:"columns,omitempty"`
	Values  [][]any           `json:"values,omitempty"`
	Partial bool              `json:"partial,omitempty"`
}

// result is what one statement gave, or a piece of it.
type result struct {
	StatementID int       `json:"statement_id"`
	Series      []series  `json:"series,omitempty"`
	Messages    []message `json:"messages,omitempty"`
	Partial     bool      `json:"partial,omitempty"`
	Error       string    `json:"error,omitempty"`
}

// response is one document of an answer; a chunked answer has several.
type response struct {
	Results []result `json:"results,omitempty"`
	Error   string   `json:"error,omitempty"`
}

func (r *response) err() error {
	if r.Error != "" {
		return errors.New(r.Error)
	}
	for i := range r.Results {
		if r.Results[i].Error != "" {
			return errors.New(r.Results[i].Error)
		}
	}
	return nil
}

// query is the parameters of a request for results.
type query struct {
	text             string
	database, policy string
	precision        string // "rfc3339", or a unit for integer times
	chunked          bool
	chunkSize        int
	node             int // 0: any
}

func (q query) values() url.Values {
	v := url.Values{"q": {q.text}, "db": {q.database}}
	if q.policy != "" {
		v.Set("rp", q.policy)
	}
	if q.precision != "rfc3339" {
		v.Set("epoch", q.precision)
	}
	if q.chunked {
		v.Set("chunked", "true")
		if q.chunkSize > 0 {
			v.Set("chunk_size", strconv.Itoa(q.chunkSize))
		}
	}
	if q.node > 0 {
		v.Set("node_id", strconv.Itoa(q.node))
	}
	return v
}

func (c *client) do(ctx context.Context, method, path string, params url.Values, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path+"?"+params.Encode(), body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("User-Agent", "varve/"+version)
	c.Sign(req)
	return c.http.Do(req)
}

// ping gives the version that the server says it speaks.
func (c *client) ping(ctx context.Context) (string, error) {
	resp, err := c.do(ctx, http.MethodGet, "/ping", nil, "", nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return "", failure(resp)
	}
	return resp.Header.Get("X-Influxdb-Version"), nil
}

// query sends q and hands each document of the answer to each as it arrives,
// so that an answer of any size needs no memory of its size.
func (c *client) query(ctx context.Context, q query, each func(*response) error) error {
	form := q.values()
	params := url.Values{}
	for key := range form {
		if key != "q" {
			params[key] = form[key]
		}
	}
	body := strings.NewReader(url.Values{"q": form["q"]}.Encode())
	resp, err := c.do(ctx, http.MethodPost, "/query", params, "application/x-www-form-urlencoded", body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return failure(resp)
	}
	documents := json.NewDecoder(resp.Body)
	documents.UseNumber()
	for {
		var r response
		switch err := documents.Decode(&r); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read answer: %w", err)
		}
		if err := each(&r); err != nil {
			return err
		}
	}
}

// write sends lines of line protocol.
func (c *client) write(ctx context.Context, lines, database, policy, precision, consistency string) error {
	params := url.Values{"db": {database}}
	for key, value := range map[string]string{"rp": policy, "precision": precision, "consistency": consistency} {
		if value != "" {
			params.Set(key, value)
		}
	}
	resp, err := c.do(ctx, http.MethodPost, "/write", params, "text/plain; charset=utf-8", strings.NewReader(lines))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return failure(resp)
	}
	return nil
}

// maxFailure bounds how much of a refusal is read.
const maxFailure = 1 << 20

// failure gives what a server said with a status that is not success.
func failure(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFailure))
	if err != nil {
		return fmt.Errorf("%s: %w", resp.Status, err)
	}
	var r response
	if json.Unmarshal(body, &r) == nil && r.Error != "" {
		return errors.New(r.Error)
	}
	if text := strings.TrimSpace(string(body)); text != "" {
		return fmt.Errorf("%s: %s", resp.Status, text)
	}
	return errors.New(resp.Status)
}
