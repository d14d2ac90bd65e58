package credentials

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	"golang.org/x/term"
)

// Credentials is a user with his password, or a token. Empty, there are none.
type Credentials struct {
	Username, Password string
	Token              string // counts before a user

	named bool // Username is from a flag
	asks  bool // a flag gave "" as the password
}

// Flags adds the flags. They have no defaults, which would be printed.
func (c *Credentials) Flags(f *flag.FlagSet) {
	f.Func("username", "`user`; also INFLUX_USERNAME", func(v string) error {
		c.Username, c.named = v, true
		return nil
	})
	f.Func("password", "`password`, '' to be asked for it; also INFLUX_PASSWORD", func(v string) error {
		c.Password, c.asks = v, v == ""
		return nil
	})
	f.Func("token", "`token` in place of user and password; also INFLUX_TOKEN", func(v string) error {
		c.Token = v
		return nil
	})
}

// Complete takes from the environment what no flag said, and asks for a password
// that is to be asked for.
func (c *Credentials) Complete(errs io.Writer) error {
	if c.Token == "" && !c.named {
		c.Token = os.Getenv("INFLUX_TOKEN")
	}
	if c.Username == "" {
		c.Username = os.Getenv("INFLUX_USERNAME")
	}
	if !c.asks {
		if c.Password == "" {
			c.Password = os.Getenv("INFLUX_PASSWORD")
		}
		return nil
	}
	fmt.Fprint(errs, "password: ")
	secret, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(errs)
	if err != nil {
		return fmt.Errorf("read password: %w", err)
	}
	c.Password = string(secret)
	return nil
}

// Sign adds the credentials to a request.
func (c *Credentials) Sign(r *http.Request) {
	switch {
	case c.Token != "":
		r.Header.Set("Authorization", "Token "+c.Token)
	case c.Username != "":
		r.SetBasicAuth(c.Username, c.Password)
	}
}
