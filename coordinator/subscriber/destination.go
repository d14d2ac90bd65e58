package subscriber

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/varvedb/varve/model"
)

// destination is where copies go.
type destination interface {
	// send sends payloads, all or none of them where that can be known.
	send(ctx context.Context, some []*payload) error
	close()
}

// errRefused is the error of what a destination will not take at another try.
var errRefused = errors.New("refused by the destination")

// dial makes a destination of a URL, for copies of what is written to a policy.
func (s *Service) dial(text, database, policy string) (destination, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	d := &net.Dialer{Timeout: dialTimeout, Control: s.guard.control}
	switch u.Scheme {
	case "udp":
		return &udp{dialer: d, address: u.Host}, nil
	case "http", "https":
		return s.newHTTP(d, u, database, policy), nil
	}
	return nil, &model.Error{Kind: model.ErrInvalid, Text: "unknown destination scheme " + u.Scheme}
}

const dialTimeout = 10 * time.Second

// overHTTP sends to the /write of a server like this one, as InfluxDB does.
type overHTTP struct {
	client *http.Client
	url    string
}

func (s *Service) newHTTP(d *net.Dialer, u *url.URL, database, policy string) *overHTTP {
	at := *u
	at.Path = path.Join(at.Path, "write")
	if !strings.HasPrefix(at.Path, "/") {
		at.Path = "/" + at.Path
	}
	q := at.Query()
	q.Set("db", database)
	q.Set("rp", policy)
	q.Set("precision", "ns")
	q.Set("consistency", "")
	at.RawQuery = q.Encode()
	return &overHTTP{
		url: at.String(),
		client: &http.Client{
			Timeout: s.cfg.HTTPTimeout,
			Transport: &http.Transport{
				DialContext: d.DialContext, TLSClientConfig: s.tls.Clone(), ForceAttemptHTTP2: true,
				TLSHandshakeTimeout: dialTimeout, IdleConnTimeout: 90 * time.Second, MaxIdleConnsPerHost: 1,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// maxAnswer bounds how much of an answer is read.
const maxAnswer = 64 << 10

func (h *overHTTP) send(ctx context.Context, some []*payload) error {
	size := 0
	parts := make([]io.Reader, len(some))
	for i, p := range some {
		parts[i], size = bytes.NewReader(p.text), size+len(p.text)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, io.MultiReader(parts...))
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	req.ContentLength = int64(size)
	req.Header.Set("User-Agent", "InfluxDBClient")
	resp, err := h.client.Do(req)
	if err != nil {
		if of := new(url.Error); errors.As(err, &of) {
			return of.Err // without the URL, which may have a password
		}
		return err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusOK:
		return nil
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusRequestTimeout:
		return fmt.Errorf("%s: %s", resp.Status, firstLine(answer))
	}
	return fmt.Errorf("%w: %s: %s", errRefused, resp.Status, firstLine(answer))
}

func (h *overHTTP) close() { h.client.CloseIdleConnections() }

// firstLine gives the beginning of an answer for the log.
func firstLine(answer []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(answer)), "\n")
	return line[:min(len(line), 200)]
}

// udp sends each point in a datagram of its own, as InfluxDB does. The name is
// resolved for each connection, and a connection is for some payloads.
type udp struct {
	dialer  *net.Dialer
	address string
}

func (u *udp) send(ctx context.Context, some []*payload) error {
	conn, err := u.dialer.DialContext(ctx, "udp", u.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, p := range some {
		start := 0
		for _, end := range p.ends {
			if _, err := conn.Write(p.text[start : end-1]); err != nil {
				return fmt.Errorf("%w: %w", errRefused, err) // some may have arrived
			}
			start = end
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return nil
}

func (*udp) close() {}
