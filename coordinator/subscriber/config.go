package subscriber

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/varvedb/varve/model"
)

// Config is how a Service behaves. The names are InfluxDB's where it has them.
type Config struct {
	// HTTPTimeout bounds one try of a request.
	HTTPTimeout time.Duration
	// InsecureSkipVerify takes any certificate of a destination.
	InsecureSkipVerify bool
	// CACerts is a file with the authorities of destinations, in place of the
	// system's.
	CACerts string
	// TotalBufferBytes bounds all queues of this node together. No queue may have
	// more than a quarter of it.
	TotalBufferBytes int64
	// Allow is addresses that are dialled though they are private, of this
	// machine or of its network.
	Allow []netip.Prefix
}

// DefaultConfig gives the settings of a server.
func DefaultConfig() Config {
	return Config{HTTPTimeout: 30 * time.Second, TotalBufferBytes: 128 << 20}
}

// Validate reports the first setting that cannot work.
func (c *Config) Validate() error {
	switch {
	case c.HTTPTimeout <= 0:
		return fmt.Errorf("subscriber: http timeout %v: must be positive: %w", c.HTTPTimeout, model.ErrInvalid)
	case c.TotalBufferBytes < 4*maxPayload:
		return fmt.Errorf("subscriber: %d bytes for all queues: must be at least %d: %w", c.TotalBufferBytes, 4*maxPayload, model.ErrInvalid)
	}
	return nil
}

// tls gives what secures requests to https destinations.
func (c *Config) tls() (*tls.Config, error) {
	t := &tls.Config{InsecureSkipVerify: c.InsecureSkipVerify}
	if c.CACerts == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.CACerts)
	if err != nil {
		return nil, fmt.Errorf("subscriber: ca certs: %w", err)
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("subscriber: ca certs: %s has no certificate: %w", c.CACerts, model.ErrInvalid)
	}
	return t, nil
}
