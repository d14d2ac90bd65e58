package config

import (
	"fmt"
	"net"
)

// checkAddress refuses an address that others can reach while authentication is off,
// unless that was asked for.
func (c *Config) checkAddress() error {
	if c.AuthEnabled || c.AllowUnauthenticated {
		return nil
	}
	local, err := IsLoopback(c.HTTPAddress)
	if err != nil {
		return fmt.Errorf("http-bind-address %s: %w", c.HTTPAddress, err)
	}
	if !local {
		return fmt.Errorf("http-bind-address %s: not a loopback address, and authentication is off: "+
			"whoever reaches it may read, write and drop everything; set http-auth-enabled, or allow-unauthenticated if that is meant", c.HTTPAddress)
	}
	return nil
}

// IsLoopback reports whether only this machine reaches an address.
func IsLoopback(address string) (bool, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false, err
	}
	if host == "" {
		return false, nil // all interfaces
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback(), nil
	}
	ips, err := net.LookupIP(host)
	if err != nil {
		return false, err
	}
	for _, ip := range ips {
		if !ip.IsLoopback() {
			return false, nil
		}
	}
	return len(ips) > 0, nil
}

// Secured reports whether nodes speak TLS: beyond loopback they always do.
func (c *Config) Secured() (bool, error) {
	if c.OwnCertificates() {
		return true, nil
	}
	for _, p := range []Port{c.RPC, c.MetaClient, c.MetaPeer} {
		if p.Listen == "" {
			continue
		}
		local, err := IsLoopback(p.Listen)
		if err != nil {
			return false, fmt.Errorf("%s: %w", p.Listen, err)
		}
		if !local {
			return true, nil
		}
	}
	return false, nil
}

// OwnCertificates reports whether nodes know each other by certificates of the
// operator's. Without a cluster these are for HTTP alone.
func (c *Config) OwnCertificates() bool { return c.TLS.Certificate != "" && c.Clustered() }
