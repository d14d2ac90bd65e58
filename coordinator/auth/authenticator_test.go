package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/influxdata/influxql"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/coordinator/auth"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

const secret = "0123456789abcdef0123456789abcdef"

// node is an Authenticator with its store.
type node struct {
	*auth.Authenticator
	store     *meta.Store
	bootstrap *auth.Bootstrap
	registry  *prometheus.Registry
}

func open(t testing.TB, kv meta.KV, name string) *node {
	t.Helper()
	n := &node{store: metatest.OpenStore(t, kv, name), registry: prometheus.NewRegistry()}
	n.bootstrap = auth.NewBootstrap(n.store, vfs.NewMem(), ".", discard)
	var err error
	n.Authenticator, err = auth.New(auth.Config{SharedSecret: secret}, n.store, n.bootstrap, n.registry)
	must(t, err)
	return n
}

// cluster gives a node with an administrator "admin" and a user "u", of passwords
// "secret" and "pw".
func cluster(t testing.TB) (*node, *metatest.Memory) {
	t.Helper()
	kv := metatest.NewMemory()
	n := open(t, kv, "a")
	must(t, n.store.CreateUser(t.Context(), "admin", "secret", true))
	must(t, n.store.CreateUser(t.Context(), "u", "pw", false))
	return n, kv
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ask gives a request with a header of authorization, from an address.
func ask(authorization, from string) *http.Request {
	r := httptest.NewRequest("POST", "/write?db=d", http.NoBody)
	r.RemoteAddr = from
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r
}

func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

const somewhere = "10.0.0.1:1234"

func TestCredentialsAreReadAsInfluxDBDoes(t *testing.T) {
	n, _ := cluster(t)
	for _, c := range []struct{ url, authorization, want string }{
		{"", "", "unable to parse authentication credentials"},
		{"u=admin&p=secret", "", "admin"},
		{"u=admin&p=wrong", basic("admin", "secret"), "authorization failed"},
		{"u=nobody&p=secret", "", "authorization failed"},
		{"u=admin", "", "unable to parse authentication credentials"},
		{"u=&p=", "", "unable to parse authentication credentials"},
		{"u=admin", basic("admin", "secret"), "admin"},
		{"", basic("admin", "secret"), "admin"},
		{"", strings.Replace(basic("admin", "secret"), "Basic", "basic", 1), "admin"},
		{"", basic("admin", ""), "authorization failed"},
		{"", basic("", "secret"), "username required"},
		{"", "Basic !!!", "unable to parse authentication credentials"},
		{"", "Token admin:secret", "admin"},
		{"", "Token admin:wrong", "authorization failed"},
		{"", "Token :secret", "username required"},
		{"", "Token admin", "unable to parse authentication credentials"},
		{"", "Token", "unable to parse authentication credentials"},
		{"", "Token admin:sec ret", "unable to parse authentication credentials"},
		{"", "Token varve_7_AAAA", "authorization failed"},
		{"", "Token varve_x", "authorization failed"},
		{"", "Bearer", "unable to parse authentication credentials"},
		{"", "Bearer abc", "token is malformed: token contains an invalid number of segments"},
		{"", "Bearer varve_7_AAAA", "authorization failed"},
		{"", "Nonsense x", "unable to parse authentication credentials"},
	} {
		r := ask(c.authorization, somewhere)
		r.URL.RawQuery += "&" + c.url
		u, err := n.Authenticate(r)
		got := fmt.Sprint(err)
		if err == nil {
			got = u.Name()
		} else if !errors.Is(err, model.ErrUnauthenticated) {
			t.Errorf("%q %q: an error of another kind: %v", c.url, c.authorization, err)
		}
		if got != c.want {
			t.Errorf("%q %q: %s, want %s", c.url, c.authorization, got, c.want)
		}
	}
}

func TestRightsAreThoseOfTheUser(t *testing.T) {
	n, _ := cluster(t)
	for _, db := range []string{"d", "e"} {
		must(t, n.store.CreateDatabase(t.Context(), db, nil))
	}
	must(t, n.store.Grant(t.Context(), "u", "d", meta.Write))
	u, err := n.Authenticate(ask(basic("u", "pw"), somewhere))
	must(t, err)
	checkRights(t, u, "", "d w")
	admin, err := n.Authenticate(ask(basic("admin", "secret"), somewhere))
	must(t, err)
	checkRights(t, admin, "admin", "d r", "d w", "e r", "e w", "gone r", "gone w")

	// A database of that name made later is another.
	must(t, n.store.DropDatabase(t.Context(), "d"))
	must(t, n.store.CreateDatabase(t.Context(), "d", nil))
	checkRights(t, u, "")
}

func checkRights(t *testing.T, u query.User, admin string, want ...string) {
	t.Helper()
	var got []string
	for _, db := range []string{"d", "e", "gone"} {
		if u.May(db, influxql.ReadPrivilege) {
			got = append(got, db+" r")
		}
		if u.May(db, influxql.WritePrivilege) {
			got = append(got, db+" w")
		}
		if u.May(db, influxql.NoPrivileges) && !u.Admin() {
			t.Errorf("%s has no privilege on %s", u.Name(), db)
		}
	}
	if !slices.Equal(got, want) || u.Admin() != (admin != "") {
		t.Errorf("rights of %s: %q, administrator %v; want %q, %v", u.Name(), got, u.Admin(), want, admin != "")
	}
}

// late is a store whose watch is late.
type late struct {
	meta.KV
	by time.Duration
}

func (l late) Watch(ctx context.Context, prefix string, from int64) <-chan meta.Changes {
	out := make(chan meta.Changes)
	go func() {
		defer close(out)
		for c := range l.KV.Watch(ctx, prefix, from) {
			time.Sleep(l.by)
			select {
			case out <- c:
			case <-ctx.Done():
			}
		}
	}()
	return out
}

func TestNobodyIsRefusedForWhatThisNodeHasNotHeardYet(t *testing.T) {
	n, kv := cluster(t)
	behind := open(t, late{kv, 300 * time.Millisecond}, "b")
	if _, err := behind.Authenticate(ask(basic("u", "pw"), somewhere)); err != nil {
		t.Fatal(err)
	}
	must(t, n.store.SetPassword(t.Context(), "u", "new"))
	if _, err := behind.Authenticate(ask(basic("u", "new"), somewhere)); err != nil {
		t.Errorf("with the new password: %v", err)
	}
	must(t, n.store.CreateUser(t.Context(), "v", "pw", false))
	v, err := behind.Authenticate(ask(basic("v", "pw"), somewhere))
	if err != nil {
		t.Fatalf("a new user: %v", err)
	}
	made, secret, err := n.store.CreateToken(t.Context(), meta.TokenSpec{Name: "t", Admin: true}, nil)
	must(t, err)
	if _, err := behind.Authenticate(ask("Token "+auth.FormatToken(made.UID, secret), somewhere)); err != nil {
		t.Errorf("with a new token: %v", err)
	}
	must(t, n.store.SetAdmin(t.Context(), "v", true))
	if now, err := behind.Renew(t.Context(), v); err != nil || !now.Admin() {
		t.Errorf("a user who was made an administrator: %v", err)
	}
	must(t, n.store.DropUser(t.Context(), "v"))
	if _, err := behind.Renew(t.Context(), v); !errors.Is(err, model.ErrUnauthenticated) {
		t.Errorf("a dropped user: %v", err)
	}
}

func TestAChangeCountsOnEveryNodeWithinASecond(t *testing.T) {
	n, kv := cluster(t)
	other := open(t, kv, "b")
	old := ask(basic("u", "pw"), somewhere)
	for _, each := range []*node{n, other} {
		if _, err := each.Authenticate(old); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(what string) {
		t.Helper()
		for end := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
			_, err := other.Authenticate(old)
			if errors.Is(err, model.ErrUnauthenticated) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: the old password is still taken: %v", what, err)
			}
		}
	}
	must(t, n.store.SetPassword(t.Context(), "u", "new"))
	refused("another password")
	must(t, n.store.SetPassword(t.Context(), "u", "pw"))
	if _, err := other.Authenticate(old); err != nil {
		t.Fatal(err)
	}
	must(t, n.store.DropUser(t.Context(), "u"))
	refused("dropped")
}

func TestWithEtcdAwayNobodyIsRefused(t *testing.T) {
	n, kv := cluster(t)
	made, secret, err := n.store.CreateToken(t.Context(), meta.TokenSpec{Name: "t", Admin: true}, nil)
	must(t, err)
	if _, err := n.Authenticate(ask(basic("u", "pw"), somewhere)); err != nil {
		t.Fatal(err)
	}
	kv.SetAway(true)
	t.Cleanup(func() { kv.SetAway(false) })
	for !n.store.Away() {
		time.Sleep(10 * time.Millisecond)
	}
	for _, c := range []struct {
		authorization string
		want          error
	}{
		{basic("u", "pw"), nil},
		{basic("admin", "secret"), nil}, // not verified before, but of the hash that is known
		{basic("u", "wrong"), model.ErrUnavailable},
		{basic("nobody", "pw"), model.ErrUnavailable},
		{"Token " + auth.FormatToken(made.UID, secret), nil},
		{"Token " + auth.FormatToken(made.UID+1, secret), model.ErrUnavailable},
		{"Bearer " + sign(t, claims{"username": "u", "exp": inAnHour()}), nil},
		{"Bearer " + sign(t, claims{"username": "nobody", "exp": inAnHour()}), model.ErrUnavailable},
	} {
		if _, err := n.Authenticate(ask(c.authorization, somewhere)); !errors.Is(err, c.want) {
			t.Errorf("%.20s…: %v, want %v", c.authorization, err, c.want)
		}
	}
}

func TestAFoundPasswordPassesHoweverManyAreWrong(t *testing.T) {
	n, _ := cluster(t)
	right := ask(basic("u", "pw"), somewhere)
	if _, err := n.Authenticate(right); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i := range 12 {
		_, err := n.Authenticate(ask(basic("u", fmt.Sprint("wrong", i)), somewhere))
		if i < 10 && !errors.Is(err, model.ErrUnauthenticated) {
			t.Fatalf("wrong password %d: %v", i, err)
		}
		if errors.Is(err, model.ErrUnauthenticated) && i >= 10 && time.Since(began) > 30*time.Second {
			t.Skip("one more guess has come back meanwhile")
		}
		wait := new(auth.WaitError)
		if i >= 10 && (!errors.Is(err, model.ErrOverloaded) || !errors.As(err, &wait) || wait.RetryAfter() <= 0) {
			t.Fatalf("wrong password %d: %v, want to be told to wait", i, err)
		}
		if _, err := n.Authenticate(right); err != nil {
			t.Fatalf("the right password after %d wrong ones: %v", i, err)
		}
	}
	if _, err := n.Authenticate(ask(basic("u", "wrong"), "10.0.0.2:1234")); !errors.Is(err, model.ErrUnauthenticated) {
		t.Errorf("a wrong password from elsewhere: %v", err)
	}
}

func TestOnePasswordOfManyIsComparedOnce(t *testing.T) {
	n, _ := cluster(t)
	var wait sync.WaitGroup
	for i := range 200 {
		wait.Go(func() {
			if _, err := n.Authenticate(ask(basic("u", "pw"), fmt.Sprintf("10.0.%d.1:9", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got := n.comparisons(t); got != 1 {
		t.Errorf("the password was compared %v times", got)
	}
}

func (n *node) comparisons(t *testing.T) float64 {
	t.Helper()
	families, err := n.registry.Gather()
	must(t, err)
	for _, f := range families {
		if f.GetName() == "auth_password_comparisons_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatal("comparisons are not counted")
	return 0
}

func TestAFloodOfWrongPasswordsWaitsInABoundedQueue(t *testing.T) {
	n, _ := cluster(t)
	if _, err := n.Authenticate(ask(basic("u", "pw"), somewhere)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wait sync.WaitGroup
	var throttled atomic.Int64
	enough := make(chan struct{})
	for i := range 500 {
		wait.Go(func() {
			r := ask(basic(fmt.Sprint("user", i), "x"), fmt.Sprintf("10.%d.0.1:9", i%250)).WithContext(ctx)
			if _, err := n.Authenticate(r); errors.Is(err, model.ErrOverloaded) && throttled.Add(1) == 400 {
				close(enough)
			}
		})
	}
	<-enough // while the others wait
	if _, err := n.Authenticate(ask(basic("u", "pw"), somewhere)); err != nil {
		t.Errorf("the right password meanwhile: %v", err)
	}
	cancel()
	wait.Wait()
	if got := n.comparisons(t); got > 50 {
		t.Errorf("%v passwords were compared", got)
	}
}

func TestWhoIsNotKnownTakesAsLongAsAWrongPassword(t *testing.T) {
	n, _ := cluster(t)
	least := func(name string) time.Duration {
		best := time.Hour
		for i := range 5 {
			start := time.Now()
			if _, err := n.Authenticate(ask(basic(name, fmt.Sprint("wrong", i)), somewhere)); !errors.Is(err, model.ErrUnauthenticated) {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	known, unknown := least("u"), least("nobody")
	if known > unknown*3/2 || unknown > known*3/2 {
		t.Errorf("a wrong password takes %v, an unknown user %v", known, unknown)
	}
}
