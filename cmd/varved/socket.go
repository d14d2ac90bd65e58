package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// listenSocket makes the Unix socket; nil where none is wanted.
func (s *server) listenSocket() (*net.UnixListener, error) {
	c := &s.cfg.Socket
	if !c.Enabled {
		return nil, nil
	}
	l, err := makeSocket(c.Path, c.Mode, c.Group)
	if err != nil {
		return nil, fmt.Errorf("http-bind-socket: %w", err)
	}
	s.onClose("unix socket", func() error {
		_ = l.Close() // closed already where it was served
		return nil
	})
	return l, nil
}

// makeSocket listens at a path. One that is left of a server that is gone is
// replaced.
func makeSocket(path string, mode fs.FileMode, group string) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return nil, fmt.Errorf("%s is there and no socket", path)
		}
		if c, err := net.Dial("unix", path); err == nil {
			return nil, errors.Join(fmt.Errorf("%s is in use by another server", path), c.Close())
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := permit(path, mode, group); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// permit says who may use a socket.
func permit(path string, mode fs.FileMode, group string) error {
	if group != "" {
		id, err := strconv.Atoi(group)
		if err != nil {
			g, err := user.LookupGroup(group)
			if err != nil {
				return err
			}
			if id, err = strconv.Atoi(g.Gid); err != nil {
				return err
			}
		}
		if err := os.Chown(path, -1, id); err != nil {
			return err
		}
	}
	return os.Chmod(path, mode)
}
