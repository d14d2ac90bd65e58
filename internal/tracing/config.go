package tracing

import (
	"errors"
	"fmt"
	"net/url"
)

// Config is where traces go.
type Config struct {
	// Endpoint is the collector, as http://host:4317, or https:// with TLS. Empty
	// is that there are no traces.
	Endpoint string
	// Ratio is the part of the requests that are traced which do not come with a
	// trace of their own.
	Ratio float64
}

// DefaultConfig gives the settings of a server: no traces.
func DefaultConfig() Config { return Config{Ratio: 1} }

// Validate reports the first setting that cannot work.
func (c Config) Validate() error {
	if c.Ratio < 0 || c.Ratio > 1 {
		return fmt.Errorf("tracing-ratio: %v is not from 0 to 1", c.Ratio)
	}
	if c.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("tracing-endpoint: not a URL as http://host:4317")
	case u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "":
		return errors.New("tracing-endpoint: more than a scheme, a host and a port")
	}
	return nil
}
