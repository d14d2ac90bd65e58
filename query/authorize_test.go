package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// What each kind of statement needs is in test/access.

// reader may read the databases that it is a list of.
type reader []string

func (reader) Name() string { return "r" }

func (reader) Admin() bool { return false }

func (r reader) May(database string, p influxql.Privilege) bool {
	return p == influxql.ReadPrivilege && slices.Contains(r, database)
}

func TestNothingOfARequestRunsWhereOneStatementIsRefused(t *testing.T) {
	b := newBench(t, DefaultConfig())
	_, err := b.Parse(Request{Text: "SHOW DATABASES; SHOW USERS; CREATE DATABASE x", User: reader{"db"}, Database: "db"})
	want := "error authorizing query: r not authorized to execute statement 'SHOW USERS', requires admin privilege"
	if err == nil || err.Error() != want || !errors.Is(err, model.ErrForbidden) || len(b.catalog.calls) > 0 {
		t.Errorf("error %v, want %s; did %v", err, want, b.catalog.calls)
	}
}

func TestRightsThatGrewElsewhereAreAskedForBeforeARefusal(t *testing.T) {
	b := newBench(t, DefaultConfig())
	renewed := 0
	renew := func() (User, error) { renewed++; return reader{"db"}, nil }
	if _, err := b.Parse(Request{Text: "SELECT v FROM m", User: reader{}, Database: "db", Renew: renew}); err != nil || renewed != 1 {
		t.Errorf("renewed %d times, error %v", renewed, err)
	}
	away := errors.New("etcd is away")
	_, err := b.Parse(Request{Text: "SELECT v FROM m", User: reader{}, Database: "db", Renew: func() (User, error) { return nil, away }})
	if !errors.Is(err, away) {
		t.Errorf("error %v, want that of the renewal", err)
	}
}

func TestRunningQueriesAreShownToWhoCouldAskTheSame(t *testing.T) {
	for _, c := range []struct {
		text string
		sees bool
	}{
		{"SELECT v FROM m", true},
		{"SHOW SERIES", true},
		{"SELECT v FROM other..m", false},
		{"SELECT v FROM m;\nSELECT v FROM (SELECT v FROM other..m)", false},
		{"CREATE USER u WITH PASSWORD [REDACTED]", false},
		{"DROP DATABASE db", false},
		{"SHOW FIELD KEYS WHERE time > now() - 1h", true},
		{"prometheus read {}", false},
	} {
		q := &Running{Text: c.text, Database: "db"}
		if got := (&Request{User: reader{"db"}}).sees(q); got != c.sees {
			t.Errorf("%s: seen %v, want %v", c.text, got, c.sees)
		}
		if !(&Request{}).sees(q) || !(&Request{User: founder("root")}).sees(q) {
			t.Errorf("%s: hidden from an administrator", c.text)
		}
	}
}

func TestNobodyMayOnlyCreateTheFirstAdministrator(t *testing.T) {
	const first = "CREATE USER root WITH PASSWORD 'p' WITH ALL PRIVILEGES"
	for _, c := range []struct {
		nobody Nobody
		users  []Account
		text   string
		want   string // the error, or what was done
	}{
		{Nobody{Founds: true}, nil, first, "create first admin root p"},
		{Nobody{Founds: true}, nil, first + "; CREATE DATABASE d", "create first admin root p; create database d"},
		{Nobody{Founds: true}, nil, "CREATE DATABASE d; " + first, "create admin user first or disable authentication"},
		{Nobody{Founds: true}, nil, "CREATE USER root WITH PASSWORD 'p'", "create admin user first or disable authentication"},
		{Nobody{Founds: true}, []Account{{Name: "u"}}, "SHOW DATABASES", "no user provided"},
		{Nobody{Founds: true}, []Account{{Name: "u"}}, first, "create first admin root p"},
		{Nobody{}, nil, first, "the first admin user is created from the machine of the server, or with the bootstrap token"},
		{Nobody{}, nil, "SHOW DATABASES", "create admin user first or disable authentication"},
	} {
		b := newBench(t, DefaultConfig())
		b.catalog.users = c.users
		q, err := b.Parse(Request{Text: c.text, User: c.nobody})
		got := ""
		if err != nil {
			got = strings.TrimPrefix(err.Error(), "error authorizing query: ")
		} else if err := b.Execute(t.Context(), q, &recorder{}); err != nil {
			t.Fatal(err)
		} else {
			got = strings.Join(b.catalog.calls, "; ")
		}
		if got != c.want {
			t.Errorf("%s, as %+v: got %q, want %q", c.text, c.nobody, got, c.want)
		}
	}
}

// told is what an Audit is told.
type told []string

func (l *told) Statement(r *Request, action, database, text string, err error) {
	*l = append(*l, fmt.Sprintf("%s %s %s on %s %q: %v", r.Address, r.ID, action, database, text, err))
}

func TestEachStatementIsToldOnce(t *testing.T) {
	b := newBench(t, DefaultConfig())
	var got told
	b.Audit(&got)
	ask := func(ctx context.Context, r Request) {
		r.Address, r.ID = "a", "i"
		if q, err := b.Parse(r); err == nil {
			_ = b.Execute(ctx, q, &recorder{})
		}
	}
	ask(t.Context(), Request{Text: "SELECT v FROM m; CREATE USER u WITH PASSWORD 'p'; SHOW GRANTS FOR nosuch; DROP DATABASE x", Database: "db"})
	ask(t.Context(), Request{Text: "SHOW SERIES; DROP SERIES FROM m; SHOW USERS", Database: "db", User: reader{"db"}})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	ask(ended, Request{Text: "DELETE FROM m; GRANT READ ON db TO u", Database: "db"})
	want := told{
		`a i create user on db "CREATE USER u WITH PASSWORD [REDACTED]": <nil>`,
		`a i show grants for user on db "SHOW GRANTS FOR nosuch": user not found`,
		`a i drop database on x "DROP DATABASE x": not executed`,
		`a i drop series on db "DROP SERIES FROM m": error authorizing query: r not authorized to execute statement 'DROP SERIES FROM m', requires WRITE on db`,
		`a i show users on db "SHOW USERS": not executed`,
	}
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if rest := strings.Join(got[len(want):], "\n"); strings.Count(rest, "\n") != 1 || !strings.Contains(rest, "DELETE FROM m") || !strings.Contains(rest, "GRANT READ") {
		t.Errorf("told of a request that was ended:\n%s", rest)
	}
}
