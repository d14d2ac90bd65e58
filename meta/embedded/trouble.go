package embedded

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"time"
)

// troubleTimeout bounds the look at one endpoint. On a busy machine a handshake
// alone takes a second, and "deadline exceeded" is no reason that helps.
const troubleTimeout = 3 * time.Second

// Trouble says why the endpoints cannot be reached: etcd's client keeps to
// itself why it cannot connect, and says only that time is over. It gives nil
// where it finds nothing wrong with one of them. It connects to each, so it is
// for those who have waited in vain.
func (c *Client) Trouble() error {
	c.mu.Lock()
	others := c.mu.others // replaced, never changed
	c.mu.Unlock()
	var all error
	for _, e := range others {
		err := c.troubleOf(e.address)
		switch {
		case err == nil:
			return nil
		case all == nil:
			all = err
		default:
			all = fmt.Errorf("%w; %w", all, err)
		}
	}
	return all
}

func (c *Client) troubleOf(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), troubleTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	defer conn.Close()
	if u.Scheme != "https" {
		return nil
	}
	cfg, err := c.cfg.TLS.client()
	if err != nil {
		return err
	}
	if cfg == nil {
		cfg = &tls.Config{}
	}
	if cfg = cfg.Clone(); cfg.ServerName == "" {
		cfg.ServerName = u.Hostname()
	}
	secured := tls.Client(conn, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("%s: %w", u.Host, err)
	}
	// What the other side thinks of our certificate it says afterwards.
	if err := secured.SetReadDeadline(time.Now().Add(troubleTimeout / 4)); err != nil {
		return err
	}
	if _, err := secured.Read(make([]byte, 1)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", u.Host, err)
	}
	return nil
}
