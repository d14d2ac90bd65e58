package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// checkAddress refuses an address that others can reach unless that was asked
// for: there is no authentication yet.
func (c *config) checkAddress() error {
	if c.allowUnauthenticated {
		return nil
	}
	local, err := isLoopback(c.httpAddress)
	if err != nil {
		return fmt.Errorf("http-bind-address %s: %w", c.httpAddress, err)
	}
	if !local {
		return fmt.Errorf("http-bind-address %s: not a loopback address, and authentication is off: "+
			"whoever reaches it may read, write and drop everything; set allow-unauthenticated if that is meant", c.httpAddress)
	}
	return nil
}

// isLoopback reports whether only this machine reaches an address.
func isLoopback(address string) (bool, error) {
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

// listen takes the port. It is done before anything on disk is touched; what
// connects meanwhile waits in the kernel's queue until the server is ready.
func listen(setting, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s %s: the port is in use, perhaps by another server", setting, address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s %s: permission denied", setting, address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s %s: this machine has no such address", setting, address)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return l, nil
}
