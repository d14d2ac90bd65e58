package collectd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// Passwords is a file of lines "user: password", read again when it changes. It
// is safe for concurrent use.
type Passwords struct {
	name string

	mu      sync.Mutex // protects what is below
	looked  time.Time  // when the file was looked at
	changed time.Time  // of the file that was read
	size    int64
	of      map[string]string
}

// lookEvery is how long the file is not looked at again: packets come in
// thousands a second.
const lookEvery = time.Second

// maxAuthFile bounds the file.
const maxAuthFile = 1 << 20

var errNoUser = errors.New("no such user, or the auth file cannot be read")

// ReadPasswords reads a file for the first time.
func ReadPasswords(name string) (*Passwords, error) {
	p := &Passwords{name: name}
	if err := p.look(time.Now()); err != nil {
		return nil, fmt.Errorf("auth-file: %w", err)
	}
	return p, nil
}

// find gives the password of a user. While the file cannot be read there is none.
func (p *Passwords) find(user string) (string, error) {
	if p == nil {
		return "", errNoUser
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.looked) >= lookEvery {
		if err := p.look(now); err != nil {
			p.of = nil
		}
	}
	password, ok := p.of[user]
	if !ok {
		return "", errNoUser
	}
	return password, nil
}

// look reads the file if it has changed.
func (p *Passwords) look(now time.Time) error {
	p.looked = now
	info, err := os.Stat(p.name)
	if err != nil {
		return err
	}
	if p.of != nil && info.ModTime().Equal(p.changed) && info.Size() == p.size {
		return nil
	}
	f, err := os.Open(p.name)
	if err != nil {
		return err
	}
	defer f.Close()
	of, err := parsePasswords(f)
	if err != nil {
		return err
	}
	p.of, p.changed, p.size = of, info.ModTime(), info.Size()
	return nil
}

func parsePasswords(r io.Reader) (map[string]string, error) {
	of := make(map[string]string)
	lines := bufio.NewScanner(io.LimitReader(r, maxAuthFile))
	for lines.Scan() {
		user, password, ok := strings.Cut(lines.Text(), ":")
		if user = strings.TrimSpace(user); ok && user != "" && !strings.HasPrefix(user, "#") {
			of[user] = strings.TrimSpace(password)
		}
	}
	return of, lines.Err()
}
