package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// listen takes the port. It is done before anything on disk is touched.
func listen(setting, address string) (*net.TCPListener, error) {
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
	return l.(*net.TCPListener), nil
}
