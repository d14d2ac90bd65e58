package httpapi

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/influxql"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/model/lineprotocol"
	"github.com/varvedb/varve/query"
)

// fakeUser has a name and the rights that go with it.
type fakeUser string

func (u fakeUser) Name() string   { return string(u) }
func (u fakeUser) Admin() bool    { return u == "admin" }
func (u fakeUser) Monitors() bool { return u == "monitor" }
func (u fakeUser) May(database string, p influxql.Privilege) bool {
	return u == "admin" || u == "writer" && database == "db" && p == influxql.WritePrivilege
}

// fakeAuth knows who is named in a header.
type fakeAuth struct {
	err   error                                // of who cannot be told now
	renew func(query.User) (query.User, error) // nil: there is nothing new
}

func (f *fakeAuth) Authenticate(r *http.Request) (query.User, error) {
	name := r.Header.Get("X-User")
	switch {
	case f.err != nil:
		return nil, f.err
	case name == "":
		return nil, &model.Error{Kind: model.ErrUnauthenticated, Text: "unable to parse authentication credentials"}
	case name == "founder":
		return query.Nobody{Founds: true}, nil
	}
	return fakeUser(name), nil
}

func (f *fakeAuth) Claims(r *http.Request) (string, bool) {
	name := r.Header.Get("X-User")
	return name, name != ""
}

func (f *fakeAuth) Renew(_ context.Context, u query.User) (query.User, error) {
	if f.renew == nil {
		return u, nil
	}
	return f.renew(u)
}

// guardedServer gives a Server that asks a.
func guardedServer(t *testing.T, a Authenticator, change func(*Config)) *Server {
	t.Helper()
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg, Parts{
		Parser:    lineprotocol.NewParser(lineprotocol.DefaultConfig()),
		Writer:    &fakeWriter{},
		Queries:   &fakeQueries{requests: make(map[*query.Query]query.Request), answer: twoSeries},
		Databases: fakeDatabases{},
		Admin:     http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }),
		Auth:      a,
		Registry:  prometheus.NewRegistry(),
		Log:       slog.New(slog.DiscardHandler),
		Version:   "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every path that is served, and whom it answers while authentication is on. A new
// one is refused here until it has a line.
var paths = map[string]access{
	"/write":                  known,
	"/query":                  known,
	"/api/v2/write":           known,
	"/api/v2/query":           known,
	"/api/v2/delete":          known,
	"/api/v2/buckets":         known,
	"/api/v2/buckets/:bucket": known,
	// There are none: the answer is the same to all.
	"/api/v2/buckets/:bucket/labels":      anyone,
	"/api/v2/buckets/:bucket/labels/:id":  anyone,
	"/api/v2/buckets/:bucket/members":     anyone,
	"/api/v2/buckets/:bucket/members/:id": anyone,
	"/api/v2/buckets/:bucket/owners":      anyone,
	"/api/v2/buckets/:bucket/owners/:id":  anyone,
	"/api/v1/prom/write":                  known,
	"/api/v1/prom/read":                   known,
	"/ping":                               pings,
	"/status":                             pings,
	"/health":                             pings,
	"/metrics":                            monitors,
	"/livez":                              anyone,
	"/readyz":                             anyone,
	"/debug/requests":                     debugs,
	"/debug/pprof":                        debugs,
	"/debug/pprof/symbol":                 debugs,
	"/debug/pprof/*":                      debugs,
	"/debug/vars":                         monitors,
	"/varve/v1/*":                         admins,
}

// outcomes are the answers to somebody without credentials, to a user, to a token
// for monitoring and to an administrator.
type outcomes [4]string

func TestEveryRouteAnswersWhomItShould(t *testing.T) {
	const in = "answered"
	everyone := outcomes{in, in, in, in}
	users := outcomes{"401", in, in, in}
	watchers := outcomes{"401", "403", in, in}
	administrators := outcomes{"401", "403", "403", in}
	for _, mode := range []struct {
		name   string
		auth   Authenticator
		change func(*Config)
		want   map[access]outcomes
	}{
		{"off", nil, nil, map[access]outcomes{anyone: everyone, known: everyone, pings: everyone, monitors: everyone, debugs: everyone, admins: everyone}},
		{"on", &fakeAuth{}, nil, map[access]outcomes{anyone: everyone, known: users, pings: everyone, monitors: watchers, debugs: administrators, admins: administrators}},
		{"ping", &fakeAuth{}, func(c *Config) { c.PingAuth = true }, map[access]outcomes{anyone: everyone, known: users, pings: users, monitors: watchers, debugs: administrators, admins: administrators}},
		{"debug open", &fakeAuth{}, func(c *Config) { c.DebugOpen = true }, map[access]outcomes{anyone: everyone, known: users, pings: everyone, monitors: everyone, debugs: everyone, admins: administrators}},
	} {
		s := guardedServer(t, mode.auth, mode.change)
		for _, r := range s.table() {
			if r.access == 0 {
				t.Errorf("%s does not say whom it answers", r.path)
			}
		}
		for path := range paths {
			if !slices.ContainsFunc(s.echo.Routes(), func(r *echo.Route) bool { return r.Path == path }) {
				t.Errorf("%s is not served any more", path)
			}
		}
		for _, route := range s.echo.Routes() {
			a, ok := paths[route.Path]
			if !ok {
				t.Errorf("%s is not in the table of this test", route.Path)
				continue
			}
			var got outcomes
			for i, name := range []string{"", "user", "monitor", "admin"} {
				got[i] = outcomeOf(s, route.Method, route.Path, name)
			}
			want := mode.want[a]
			if got[0] == "405" || route.Method == "OPTIONS" && a != admins {
				want = outcomes{got[0], got[0], got[0], got[0]} // nothing is done
			}
			if got != want {
				t.Errorf("%s: %s %s: %q, want %q", mode.name, route.Method, route.Path, got, want)
			}
		}
	}
}

// outcomeOf tells how a request ends: 401 and 403 of the guard, 405, or answered.
func outcomeOf(s *Server, method, path, name string) string {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // what would run for seconds, as a profile, ends at once
	r := httptest.NewRequest(method, strings.ReplaceAll(path, "*", "x"), http.NoBody).WithContext(ctx)
	r.Header.Set("X-User", name)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	switch {
	case w.Code == http.StatusUnauthorized, w.Code == http.StatusMethodNotAllowed:
		return fmt.Sprint(w.Code)
	case strings.Contains(w.Body.String(), "error authorizing admin access"):
		return fmt.Sprint(w.Code)
	}
	return "answered"
}

func TestAChallengeIsThatOfInfluxDB(t *testing.T) {
	s := guardedServer(t, &fakeAuth{}, func(c *Config) { c.Realm = "mine" })
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("POST", "/write?db=db", strings.NewReader("m v=1")))
	body, _ := io.ReadAll(w.Body)
	if got := w.Header().Get("WWW-Authenticate"); w.Code != http.StatusUnauthorized || got != `Basic realm="mine"` {
		t.Errorf("%d with %q", w.Code, got)
	}
	if string(body) != `{"error":"unable to parse authentication credentials"}`+"\n" || w.Header().Get("X-Influxdb-Error") != "" {
		t.Errorf("%s with %q", body, w.Header().Get("X-Influxdb-Error"))
	}
	for _, realm := range []string{`a"b`, "a\nb", `a\b`, "ä"} {
		cfg := DefaultConfig()
		if cfg.Realm = realm; cfg.Validate() == nil {
			t.Errorf("a realm %q is taken", realm)
		}
	}
}

// waiting is an error that says when to come back.
type waiting struct{ error }

func (waiting) RetryAfter() time.Duration { return 2500 * time.Millisecond }
func (w waiting) Unwrap() error           { return w.error }

func TestTroubleThatPassesIsNeverA401(t *testing.T) {
	for _, c := range []struct {
		err   error
		after string
	}{
		{model.ErrUnavailable, "1"},
		{waiting{model.ErrOverloaded}, "3"},
	} {
		s := guardedServer(t, &fakeAuth{err: c.err}, nil)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest("POST", "/write?db=db", strings.NewReader("m v=1")))
		if got := w.Header().Get("Retry-After"); w.Code != http.StatusServiceUnavailable || got != c.after || w.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("%v: %d, to be tried again after %q", c.err, w.Code, got)
		}
	}
}

func TestWhoWouldBeForbiddenIsLookedUpAnew(t *testing.T) {
	for _, c := range []struct {
		method, path, body, may string
		done                    int
	}{
		{"POST", "/write?db=db", "m v=1 1", "writer", http.StatusNoContent},
		{"GET", "/api/v2/buckets/db%2Fautogen", "", "admin", http.StatusOK},
		{"GET", "/varve/v1/status", "", "admin", http.StatusOK},
	} {
		a := &fakeAuth{}
		s := guardedServer(t, a, nil)
		for _, now := range []struct {
			name  string
			renew func(query.User) (query.User, error)
			want  int
		}{
			{"without a right", nil, http.StatusForbidden},
			{"with a right that was granted a moment ago", func(query.User) (query.User, error) { return fakeUser(c.may), nil }, c.done},
			{"with etcd away", func(query.User) (query.User, error) { return nil, model.ErrUnavailable }, http.StatusServiceUnavailable},
			{"dropped meanwhile", func(query.User) (query.User, error) { return nil, model.ErrUnauthenticated }, http.StatusUnauthorized},
		} {
			a.renew = now.renew
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			r.Header.Set("X-User", "reader")
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if w.Code != now.want {
				t.Errorf("%s %s %s: %d, want %d", c.method, c.path, now.name, w.Code, now.want)
			}
		}
	}
}

func TestQueriesCarryWhoAsks(t *testing.T) {
	s := guardedServer(t, &fakeAuth{}, nil)
	var got []string
	s.parts.Queries.(*fakeQueries).answer = func(_ context.Context, r query.Request, _ query.Sink) error {
		u, err := r.Renew()
		got = append(got, fmt.Sprintf("%v %v %v %s %v", r.User, u, err, r.Address, r.ID != ""))
		return nil
	}
	for _, name := range []string{"reader", "founder"} {
		r := httptest.NewRequest("POST", "/query?q=x", http.NoBody)
		r.Header.Set("X-User", name)
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
	}
	if want := []string{"reader reader <nil> 192.0.2.1:1234 true", "{true} {true} <nil> 192.0.2.1:1234 true"}; !slices.Equal(got, want) {
		t.Errorf("queries of %q, want %q", got, want)
	}
}
