package coordinator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/meta/metatest"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

// asked runs statements on a store's metadata and writes their results.
type asked struct{ bytes.Buffer }

func (a *asked) Begin(query.Statement) error { return nil }

func (a *asked) Rows(r *exec.Rows) error {
	fmt.Fprintf(a, "%s(%s)", r.Name, strings.Join(r.Columns, ","))
	for i := range r.Len() {
		for k := range r.Values {
			fmt.Fprintf(a, " %v", r.Values[k].Value(i))
		}
		if r.Lists != nil {
			fmt.Fprintf(a, " %v", r.Lists[i])
		}
	}
	a.WriteString("; ")
	return nil
}

func (a *asked) End(o query.Outcome) error {
	if o.Err != nil {
		fmt.Fprintf(a, "error: %v; ", o.Err)
	}
	return nil
}

// ask runs statements as a client of one node.
func ask(t *testing.T, store *meta.Store, text string) string {
	t.Helper()
	executor, err := query.New(query.DefaultConfig(), NewCatalog(store), nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	q, err := executor.Parse(query.Request{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	var a asked
	if err := executor.Execute(t.Context(), q, &a); err != nil {
		t.Fatal(err)
	}
	return a.String()
}

// administration is statements whose effects the others show.
const administration = `CREATE DATABASE d; CREATE DATABASE c;
	CREATE CONTINUOUS QUERY q ON d BEGIN SELECT mean(v) INTO o FROM m GROUP BY time(1h) END;
	CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ANY 'udp://h:1', 'http://h:2';
	CREATE USER u WITH PASSWORD 'p'; GRANT ALL ON d TO u; REVOKE READ ON d FROM u; GRANT READ ON c TO u; REVOKE READ ON c FROM u`

const shows = `SHOW DATABASES; SHOW CONTINUOUS QUERIES; SHOW SUBSCRIPTIONS; SHOW USERS; SHOW GRANTS FOR u`

const shown = "databases(name) d c; " +
	"d(name,query) q CREATE CONTINUOUS QUERY q ON d BEGIN SELECT mean(v) INTO d.autogen.o FROM d.autogen.m GROUP BY time(1h) END; c(name,query); " +
	"d(retention_policy,name,mode,destinations) autogen s ANY [udp://h:1 http://h:2]; " +
	"(user,admin) u false; " +
	"(database,privilege) c NO PRIVILEGES d WRITE; "

func TestWhatOneNodeIsToldEveryNodeKnows(t *testing.T) {
	kv := metatest.NewMemory()
	a, b := metatest.OpenStore(t, kv, "a"), metatest.OpenStore(t, kv, "b")
	if got := ask(t, a, administration); got != "" {
		t.Fatalf("the statements gave %s", got)
	}
	if err := b.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, b, shows); got != shown {
		t.Errorf("got  %s\nwant %s", got, shown)
	}
	if got := ask(t, b, "DROP DATABASE d; DROP USER u; "+administration); got != "" {
		t.Fatalf("the statements again gave %s", got)
	}
	if err := a.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := strings.Replace(shown, " d c; d", " c d; c(name,query); d", 1)
	again = strings.Replace(again, "c(name,query); d(ret", "d(ret", 1)
	if got := ask(t, a, shows); got != again {
		t.Errorf("after a drop\ngot  %s\nwant %s", got, again)
	}
	if got := ask(t, a, "DROP DATABASE d; "+shows); got != "databases(name) c; c(name,query); (user,admin) u false; (database,privilege) c NO PRIVILEGES; " {
		t.Errorf("after the last drop: %s", got)
	}
}

func TestAdministrationIsReadButNotChangedWhileTheMetadataIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kv := metatest.NewMemory()
		store := metatest.OpenStore(t, kv, "a")
		if got := ask(t, store, administration); got != "" {
			t.Fatalf("the statements gave %s", got)
		}
		kv.SetAway(true)
		if got := ask(t, store, shows); got != shown {
			t.Errorf("got  %s\nwant %s", got, shown)
		}
		c := NewCatalog(store)
		ctx := t.Context()
		for name, change := range map[string]func(context.Context) error{
			"create continuous query": func(ctx context.Context) error {
				return c.CreateContinuousQuery(ctx, "d", query.ContinuousQuery{Name: "r", Text: "x"})
			},
			"drop continuous query": func(ctx context.Context) error { return c.DropContinuousQuery(ctx, "d", "q") },
			"create subscription": func(ctx context.Context) error {
				return c.CreateSubscription(ctx, "d", query.Subscription{Policy: "autogen", Name: "t", Mode: "ALL", Destinations: []string{"udp://h:1"}})
			},
			"create user":            func(ctx context.Context) error { return c.CreateUser(ctx, "v", "p", false) },
			"create a user there is": func(ctx context.Context) error { return c.CreateUser(ctx, "u", "p", false) },
			"set password":           func(ctx context.Context) error { return c.SetPassword(ctx, "u", "q") },
			"drop nobody":            func(ctx context.Context) error { return c.DropUser(ctx, "nobody") },
			"grants of nobody":       func(ctx context.Context) error { _, err := c.User(ctx, "nobody"); return err },
			"drop shard":             func(ctx context.Context) error { return c.DropShard(ctx, 99) },
		} {
			began := time.Now()
			if err := change(ctx); !errors.Is(err, model.ErrUnavailable) || time.Since(began) > 5*time.Second {
				t.Errorf("%s: %v after %s", name, err, time.Since(began))
			}
		}
	})
}

func TestOwnersOfShardsAreShownInAClusterOnly(t *testing.T) {
	kv := metatest.NewMemory()
	store := metatest.OpenStore(t, kv, "a")
	if err := store.CreateDatabase(t.Context(), "d", nil); err != nil {
		t.Fatal(err)
	}
	group, err := store.EnsureGroup(t.Context(), store.Snapshot().Database("d").Policy("").UID, 0)
	if err != nil {
		t.Fatal(err)
	}
	id := group.Shards[0].ID
	row := fmt.Sprintf("d(id,database,retention_policy,shard_group,start_time,end_time,expiry_time,owners) %d d autogen %d 1969-12-29T00:00:00Z 1970-01-05T00:00:00Z 1970-01-05T00:00:00Z ", id, group.ID)
	if got, want := ask(t, store, "SHOW SHARDS"), row+"; "; got != want {
		t.Errorf("one node\ngot  %s\nwant %s", got, want)
	}
	metatest.OpenStore(t, kv, "b")
	if err := store.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := ask(t, store, "SHOW SHARDS"), fmt.Sprintf("%s%d; ", row, store.Snapshot().Nodes()[0].ID); got != want {
		t.Errorf("two nodes\ngot  %s\nwant %s", got, want)
	}
	if got := ask(t, store, fmt.Sprintf("DROP SHARD %d; SHOW SHARDS", id)); strings.Contains(got, "autogen") {
		t.Errorf("after DROP SHARD: %s", got)
	}
}
