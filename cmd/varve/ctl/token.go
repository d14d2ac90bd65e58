package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

var tokenCreateCommand = &command{
	name: "token create", arguments: "[--admin] [--monitor] [--read DB] [--write DB] [--life 720h] NAME",
	help: "print a token that lets a program in\n" +
		"It is a secret that nobody can be shown again. The program sends it in the header\n" +
		"Authorization, as Token or Bearer.",
	least: 1, most: 1,
	setup: func(s *session) func(context.Context) error {
		var r adminapi.AccessTokenRequest
		s.flags.BoolVar(&r.Admin, "admin", false, "it may do everything")
		s.flags.BoolVar(&r.Monitor, "monitor", false, "it may read /metrics and /debug/vars")
		s.flags.Var((*names)(&r.Read), "read", "a database that it may read; several times for several")
		s.flags.Var((*names)(&r.Write), "write", "a database that it may write to; several times for several")
		s.flags.DurationVar(&r.Life, "life", 0, "how long it may be used; 0 is for ever")
		return func(ctx context.Context) error {
			if !r.Admin && !r.Monitor && len(r.Read)+len(r.Write) == 0 {
				return errors.New("say what it may do: --read, --write, --monitor or --admin")
			}
			r.Name = s.args[0]
			var t adminapi.AccessToken
			if err := s.post(ctx, "/tokens", r, &t); err != nil {
				return err
			}
			if !s.json {
				fmt.Fprintf(s.errs, "token %d, %s\n", t.ID, until(&t))
			}
			return s.say(t, "%s", t.Token)
		}
	},
}

// names is a flag that may be given several times.
type names []string

func (n *names) String() string { return strings.Join(*n, ",") }

func (n *names) Set(v string) error {
	*n = append(*n, v)
	return nil
}

func until(t *adminapi.AccessToken) string {
	switch {
	case t.Expires == nil:
		return "does not expire"
	case t.Expired:
		return "expired " + moment(*t.Expires)
	}
	return "expires " + moment(*t.Expires)
}

var tokenListCommand = &command{
	name: "token list", help: "list the tokens that let programs in, and what they may",
	setup: func(s *session) func(context.Context) error {
		return func(ctx context.Context) error {
			var r adminapi.AccessTokens
			if err := s.get(ctx, "/tokens", &r); err != nil {
				return err
			}
			if s.json {
				return s.printJSON(r.Tokens)
			}
			t := newTable(s.out)
			fmt.Fprintln(t, "ID\tName\tMay\tCreated\tEnd")
			for i := range r.Tokens {
				k := &r.Tokens[i]
				fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\n", k.ID, k.Name, rights(k), k.Created.UTC().Format(time.DateOnly), until(k))
			}
			return t.Flush()
		}
	},
}

// rights says what a token may do.
func rights(t *adminapi.AccessToken) string {
	var all []string
	if t.Admin {
		all = append(all, "everything")
	}
	if t.Monitor {
		all = append(all, "monitor")
	}
	for _, db := range t.Read {
		all = append(all, "read "+db)
	}
	for _, db := range t.Write {
		all = append(all, "write "+db)
	}
	return cmp.Or(strings.Join(all, ", "), "nothing")
}

var tokenRevokeCommand = &command{
	name: "token revoke", arguments: "TOKEN",
	help:  "let a token in no more, on any node\nTOKEN is its number or its name.",
	least: 1, most: 1,
	setup: func(s *session) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := s.ask(ctx, http.MethodDelete, "/tokens/"+url.PathEscape(s.args[0]), nil, nil); err != nil {
				return err
			}
			return s.say(nil, "Revoked token %s", s.args[0])
		}
	},
}
