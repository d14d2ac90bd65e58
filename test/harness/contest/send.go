package contest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"
)

// Send posts the bodies that next appends to what it is given, from as many
// clients at a time, until next gives nothing. One goroutine calls next. What the
// clients do is not counted: they are another process than the server.
func (r *Run) Send(clients int, zipped bool, next func(dst []byte) []byte) error {
	work, ctx := errgroup.WithContext(context.Background())
	bodies := make(chan []byte, clients)
	free := make(chan []byte, 2*clients)
	work.Go(func() error {
		defer close(bodies)
		for {
			var body []byte
			select {
			case body = <-free:
			default:
			}
			if body = next(body[:0]); len(body) == 0 {
				return nil
			}
			select {
			case bodies <- body:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for range clients {
		work.Go(func() error {
			var packed bytes.Buffer
			for body := range bodies {
				send := body
				if zipped {
					packed.Reset()
					w := gzip.NewWriter(&packed)
					w.Write(body) // a bytes.Buffer takes everything
					w.Close()
					send = packed.Bytes()
				}
				if err := r.store(ctx, client, send, zipped); err != nil {
					return err
				}
				select {
				case free <- body:
				default: // enough are waiting
				}
			}
			return nil
		})
	}
	return work.Wait()
}

const (
	retries    = 100 // of one body
	retryPause = 200 * time.Millisecond
)

// store posts a body until it is stored: a server that has too much to do says
// so with a 5xx, and clients come again.
func (r *Run) store(ctx context.Context, client *http.Client, body []byte, zipped bool) error {
	for again := 0; ; again++ {
		status, err := r.post(ctx, client, body, zipped)
		if err == nil || status < 500 || again == retries {
			return err
		}
		r.refused.Add(1)
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Refused gives how many requests were answered with a 5xx and sent again.
func (r *Run) Refused() int64 { return r.refused.Load() }

func (r *Run) post(ctx context.Context, client *http.Client, body []byte, zipped bool) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL+"/write?db=bench", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if zipped {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusNoContent {
		return resp.StatusCode, fmt.Errorf("write: %s: %s", resp.Status, said)
	}
	return resp.StatusCode, nil
}
