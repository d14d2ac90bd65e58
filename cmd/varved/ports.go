package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/varvedb/varve/cmd/varved/config"
)

// choosePorts replaces what etcd does not take as a port of its own: a host
// that is a name, which stays the one for others, and port 0.
func (s *server) choosePorts() error {
	for _, p := range []*config.Port{&s.cfg.MetaClient, &s.cfg.MetaPeer} {
		name, number, err := net.SplitHostPort(p.Listen)
		if err != nil {
			return err
		}
		host := name
		if name != "" && net.ParseIP(name) == nil {
			at, err := net.ResolveIPAddr("ip", name)
			if err != nil {
				return err
			}
			host = at.IP.String()
		}
		if number == "0" {
			held, err := holdPort(net.ParseIP(host))
			if err != nil {
				return fmt.Errorf("choose a port of %s: %w", p.Listen, err)
			}
			s.onClose("port of etcd", held.close)
			number, s.portsHeld = strconv.Itoa(held.number), true
		}
		p.Listen = net.JoinHostPort(host, number)
		if host != name && p.Advertise == "" {
			p.Advertise = net.JoinHostPort(name, number)
		}
	}
	return nil
}

// heldPort is a port that the kernel chose and gives to nobody else. It is
// bound and not listened on, so that connections go to who shares it.
type heldPort struct {
	number int
	socket int
}

// holdPort takes a port of an address, or of all where ip is nil. To listen on
// one and close it again would let another process have it in between.
func holdPort(ip net.IP) (*heldPort, error) {
	family, address := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{})
	if v4 := ip.To4(); v4 != nil {
		family, address = unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte(v4)}
	} else if ip != nil {
		address = &unix.SockaddrInet6{Addr: [16]byte(ip)}
	}
	socket, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	h := &heldPort{socket: socket}
	if err := h.bind(address); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *heldPort) bind(address unix.Sockaddr) error {
	if err := unix.SetsockoptInt(h.socket, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Bind(h.socket, address); err != nil {
		return os.NewSyscallError("bind", err)
	}
	got, err := unix.Getsockname(h.socket)
	switch got := got.(type) {
	case *unix.SockaddrInet4:
		h.number = got.Port
	case *unix.SockaddrInet6:
		h.number = got.Port
	}
	return os.NewSyscallError("getsockname", err)
}

func (h *heldPort) close() error { return os.NewSyscallError("close", unix.Close(h.socket)) }
