package query

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

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// fakeCatalog knows one database, and records what changes it is asked for.
type fakeCatalog struct {
	dbs   []*Database
	calls []string
	err   error

	hook          func() // runs before a change, if set
	continuous    map[string][]ContinuousQuery
	subscriptions map[string][]Subscription
	users         []Account
	groups        []ShardGroup
}

func (c *fakeCatalog) Databases(context.Context) ([]*Database, error) { return c.dbs, nil }

func (c *fakeCatalog) Database(_ context.Context, name string) (*Database, error) {
	for _, db := range c.dbs {
		if db.Name == name {
			return db, nil
		}
	}
	return nil, &model.Error{Kind: model.ErrNotFound, Text: "database not found: " + name}
}

func (c *fakeCatalog) Policy(ctx context.Context, database, policy string) (Policy, error) {
	db, err := c.Database(ctx, database)
	if err != nil {
		return Policy{}, err
	}
	p, ok := db.Policy(policy)
	if !ok {
		return Policy{}, &model.Error{Kind: model.ErrNotFound, Text: "retention policy not found: " + policy}
	}
	return p, nil
}

func (c *fakeCatalog) call(format string, args ...any) error {
	if c.hook != nil {
		c.hook()
	}
	c.calls = append(c.calls, fmt.Sprintf(format, args...))
	return c.err
}

func (c *fakeCatalog) CreateDatabase(_ context.Context, name string, p *PolicySpec) error {
	if p != nil {
		return c.call("create database %s with %s", name, p)
	}
	return c.call("create database %s", name)
}

func (c *fakeCatalog) DropDatabase(_ context.Context, name string) error {
	return c.call("drop database %s", name)
}

func (c *fakeCatalog) CreatePolicy(_ context.Context, db string, p PolicySpec, def bool) error {
	return c.call("create policy %s on %s default %v", &p, db, def)
}

func (c *fakeCatalog) AlterPolicy(_ context.Context, db, name string, p PolicyChange) error {
	spec := PolicySpec{Name: name, Duration: p.Duration, ShardDuration: p.ShardDuration, Replication: p.Replication, FutureLimit: p.FutureLimit, PastLimit: p.PastLimit}
	return c.call("alter policy %s on %s default %v", &spec, db, p.MakeDefault)
}

func (c *fakeCatalog) DropPolicy(_ context.Context, db, name string) error {
	return c.call("drop policy %s on %s", name, db)
}

func (p *PolicySpec) String() string {
	b := p.Name
	for _, d := range []struct {
		name string
		d    *time.Duration
	}{{"duration", p.Duration}, {"shard", p.ShardDuration}, {"future", p.FutureLimit}, {"past", p.PastLimit}} {
		if d.d != nil {
			b += " " + d.name + " " + d.d.String()
		}
	}
	if p.Replication != nil {
		b += fmt.Sprint(" replication ", *p.Replication)
	}
	return b
}

// fakeStorage holds one measurement m with a field v and a tag h.
type fakeStorage struct {
	deletes []string
	list    func(*exec.ListRequest) []exec.Entry
	streams []exec.Stream
	read    func(*Read)                 // called by List when set
	schema  func(context.Context) error // called by Schema when set
}

func (s *fakeStorage) Schema(ctx context.Context, _ *Read, _ Shards, _ *model.Predicate) ([]plan.Schema, error) {
	if s.schema != nil {
		if err := s.schema(ctx); err != nil {
			return nil, err
		}
	}
	return []plan.Schema{{Database: "db", Policy: "autogen", Name: "m", Fields: []model.Field{{Name: "v", Type: model.Float}}, TagKeys: []string{"h"}}}, nil
}

func (s *fakeStorage) Scan(context.Context, *Read, *plan.Fragment) ([]exec.Stream, error) {
	return s.streams, nil
}

func (s *fakeStorage) List(_ context.Context, read *Read, _ []Shards, q *exec.ListRequest) (*exec.List, error) {
	if s.read != nil {
		s.read(read)
	}
	return &exec.List{Entries: s.list(q)}, nil
}

func (s *fakeStorage) Delete(_ context.Context, shards []Shards, d *model.Delete) error {
	var policies []string
	for _, sh := range shards {
		policies = append(policies, sh.Policy)
	}
	s.deletes = append(s.deletes, fmt.Sprintf("%s %s %d..%d", strings.Join(policies, ","), show(d.Where), d.Range.Min, d.Range.Max))
	return nil
}

// show prints a predicate.
func show(p *model.Predicate) string {
	if p == nil {
		return "all"
	}
	key := strings.ReplaceAll(p.Key, model.MeasurementKey, "_name")
	switch p.Op {
	case model.And:
		return "(" + show(p.Left) + " and " + show(p.Right) + ")"
	case model.Or:
		return "(" + show(p.Left) + " or " + show(p.Right) + ")"
	case model.Equal:
		return key + "=" + p.Value
	case model.NotEqual:
		return key + "!=" + p.Value
	case model.Match:
		return key + "=~" + p.Value
	case model.NotMatch:
		return key + "!~" + p.Value
	case model.Everything:
		return "everything"
	case model.SameTag:
		return p.Key + " same " + p.Value
	}
	return "nothing"
}

// recorder is a sink that prints what it gets.
type recorder struct {
	strings.Builder
	hook func() // called by Begin
}

func (r *recorder) Begin(s Statement) error {
	fmt.Fprintf(r, "#%d", s.ID)
	if r.hook != nil {
		r.hook()
	}
	return nil
}

func (r *recorder) Rows(rows *exec.Rows) error {
	fmt.Fprintf(r, " %s(%s)", rows.Name, strings.Join(rows.Columns, ","))
	for i := range rows.Len() {
		for k := range rows.Values {
			fmt.Fprintf(r, " %v", rows.Values[k].Value(i))
		}
		if rows.Lists != nil {
			fmt.Fprintf(r, " %v", rows.Lists[i])
		}
	}
	if rows.More {
		r.WriteString(" …")
	}
	return nil
}

func (r *recorder) End(o Outcome) error {
	for _, m := range o.Messages {
		fmt.Fprintf(r, " %s: %s", m.Level, m.Text)
	}
	if o.Partial {
		r.WriteString(" (partial)")
	}
	if o.Err != nil {
		fmt.Fprintf(r, " error: %v", o.Err)
	}
	r.WriteByte('\n')
	return nil
}

type bench struct {
	*Executor
	catalog *fakeCatalog
	storage *fakeStorage
	logged  *bytes.Buffer
}

func newBench(t *testing.T, cfg Config) *bench {
	t.Helper()
	b := &bench{
		catalog: &fakeCatalog{dbs: []*Database{{
			Name: "db", DefaultPolicy: "autogen",
			Policies: []Policy{
				{Name: "autogen", ShardDuration: 168 * time.Hour, Replication: 1},
				{Name: "short", Duration: 24 * time.Hour, ShardDuration: time.Hour, Replication: 2},
			},
		}}},
		storage: &fakeStorage{list: func(*exec.ListRequest) []exec.Entry { return nil }},
		logged:  new(bytes.Buffer),
	}
	var err error
	b.Executor, err = New(cfg, b.catalog, b.storage, slog.New(slog.NewTextHandler(b.logged, nil)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run gives what a sink gets of a request.
func (b *bench) run(t *testing.T, req Request) string {
	t.Helper()
	q, err := b.Parse(req)
	if err != nil {
		return err.Error() + "\n"
	}
	var sink recorder
	if err := b.Execute(t.Context(), q, &sink); err != nil {
		t.Fatalf("Execute(%q) = %v", req.Text, err)
	}
	return sink.String()
}

func TestStatementsGiveTheResultsOfInfluxDB(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`SHOW DATABASES`, "#0 databases(name) db\n"},
		{`SHOW RETENTION POLICIES`, "#0 (name,duration,shardGroupDuration,replicaN,default) autogen 0s 168h0m0s 1 true short 24h0m0s 1h0m0s 2 false\n"},
		{`SHOW RETENTION POLICIES ON x`, "#0 error: database not found: x\n"},
		{`SHOW MEASUREMENTS ON x`, "#0\n"},
		{`SHOW MEASUREMENTS WHERE time > 0`, "#0 error: SHOW MEASUREMENTS doesn't support time in WHERE clause\n"},
		{`SHOW SERIES WHERE v > 1`, "#0 error: invalid tag comparison operator\n"},
		{`SHOW SERIES FROM nope.m`, "#0 error: retention policy not found: nope\n"},
		{`SHOW TAG VALUES WITH KEY = h WHERE time != 5`, "#0 error: invalid time comparison operator: !=\n"},
		{`SELECT v FROM x..m`, "#0 error: database not found: x\n"},
		{`SELECT v FROM nope.m`, "#0 error: retention policy not found: nope\n"},
		{`SELECT v FROM _series`, "#0 error: unable to use system source '_series': use SHOW SERIES instead\n"},
		{`SELECT v INTO x FROM m`, "#0 error: SELECT INTO is not supported yet\n"},

		{`KILL QUERY 99`, "#0 error: no such query id: 99\n"},
		{`SHOW DATABASES; SHOW SERIES ON x; SHOW DATABASES; SHOW DATABASES`, "#0 databases(name) db\n#1 error: database not found: x\n#2 error: not executed\n#3 error: not executed\n"},
		{`;`, ""},
		{`SHOW`, "error parsing query: found EOF, expected CONTINUOUS, DATABASES, DIAGNOSTICS, FIELD, GRANTS, MEASUREMENT, MEASUREMENTS, QUERIES, RETENTION, SERIES, SHARD, SHARDS, STATS, SUBSCRIPTIONS, TAG, USERS at line 1, char 6\n"},
	} {
		if got := newBench(t, DefaultConfig()).run(t, Request{Text: c.text, Database: "db"}); got != c.want {
			t.Errorf("%s\n got %s want %s", c.text, got, c.want)
		}
	}
}

func TestChangesReachTheCatalog(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`CREATE DATABASE x`, "create database x"},
		{`CREATE DATABASE x WITH DURATION 3d REPLICATION 1 SHARD DURATION 1h NAME "three"`, "create database x with three duration 72h0m0s shard 1h0m0s replication 1"},
		{`CREATE DATABASE x WITH NAME p`, "create database x with p"},
		{`DROP DATABASE x`, "drop database x"},
		{`CREATE RETENTION POLICY p ON x DURATION INF REPLICATION 2 DEFAULT`, "create policy p duration 0s replication 2 on x default true"},
		{`CREATE RETENTION POLICY p ON x DURATION 1h REPLICATION 2 SHARD DURATION 1h FUTURE LIMIT 1h PAST LIMIT 2h`, "create policy p duration 1h0m0s shard 1h0m0s future 1h0m0s past 2h0m0s replication 2 on x default false"},
		{`ALTER RETENTION POLICY p ON x SHARD DURATION 2h DEFAULT`, "alter policy p shard 2h0m0s on x default true"},
		{`DROP RETENTION POLICY p ON x`, "drop policy p on x"},
	} {
		b := newBench(t, DefaultConfig())
		if got := b.run(t, Request{Text: c.text}); got != "#0\n" {
			t.Errorf("%s: result %q, want none", c.text, got)
		}
		if got := strings.Join(b.catalog.calls, "; "); got != c.want {
			t.Errorf("%s\n did  %s\n want %s", c.text, got, c.want)
		}
	}
}

func TestChangesByGetBringAWarning(t *testing.T) {
	b := newBench(t, DefaultConfig())
	want := "#0 warning: deprecated use of 'CREATE DATABASE x' in a read only context, please use a POST request instead\n"
	if got := b.run(t, Request{Text: "CREATE DATABASE x", ReadOnly: true}); got != want {
		t.Errorf("got %s want %s", got, want)
	}
	b.catalog.err = errors.New("refused")
	if got, want := b.run(t, Request{Text: "CREATE DATABASE x", ReadOnly: true}), "#0 error: refused\n"; got != want {
		t.Errorf("got %s want %s", got, want)
	}
}

func TestDeletesCoverWhatTheStatementSays(t *testing.T) {
	const all = "-9223372036854775806..9223372036854775806"
	for _, c := range []struct{ text, result, did string }{
		{`DELETE FROM m WHERE h = 'a' AND time >= 5 AND time < 9`, "#0\n", "autogen,short (_name=m and h=a) 5..8"},
		{`DELETE FROM /m/ WHERE h =~ /a/`, "#0\n", "autogen,short (_name=~m and h=~a) " + all},
		{`DELETE WHERE h = ''`, "#0\n", "autogen,short h= " + all},
		{`DELETE FROM short.m`, "#0\n", "short _name=m " + all},
		{`DELETE FROM nope.m`, "#0 error: retention policy not found: nope\n", ""},
		{`DELETE FROM m WHERE time > 9 AND time < 5`, "#0\n", ""},
		{`DELETE FROM m WHERE v = 1`, "#0 error: fields not supported in WHERE clause during deletion\n", ""},
		{`DELETE FROM m WHERE v != 'ok'`, "#0 error: fields not supported in WHERE clause during deletion\n", ""},
		{`DELETE FROM m WHERE h::field = 'a'`, "#0 error: fields not supported in WHERE clause during deletion\n", ""},
		{`DELETE FROM m WHERE h + 'a' = 'b'`, "#0 error: fields not supported in WHERE clause during deletion\n", ""},
		{`DELETE FROM m WHERE h > 'a'`, "#0 error: invalid tag comparison operator\n", ""},
		{`DELETE FROM m WHERE h = r`, "#0\n", "autogen,short (_name=m and h same r) " + all},
		{`DELETE FROM db..m`, "error parsing query: database not supported at line 1, char 1\n", ""},
		{`DROP SERIES FROM m, n WHERE h = 'a' OR h = 'b'`, "#0\n", "autogen,short ((_name=m or _name=n) and (h=a or h=b)) " + all},
		{`DROP SERIES WHERE time > 0`, "#0 error: DROP SERIES doesn't support time in WHERE clause\n", ""},
		{`DROP MEASUREMENT m`, "#0\n", "autogen,short _name=m " + all},
	} {
		b := newBench(t, DefaultConfig())
		if got := b.run(t, Request{Text: c.text, Database: "db"}); got != c.result {
			t.Errorf("%s\n got %s want %s", c.text, got, c.result)
		}
		if got := strings.Join(b.storage.deletes, "; "); got != c.did {
			t.Errorf("%s\n did  %s\n want %s", c.text, got, c.did)
		}
	}
	if got, want := newBench(t, DefaultConfig()).run(t, Request{Text: "DROP MEASUREMENT m"}), "#0 error: database not found: \n"; got != want {
		t.Errorf("without a database: got %s want %s", got, want)
	}
}

func TestShowSendsListsToTheShards(t *testing.T) {
	for _, c := range []struct {
		text, asked, want string
		list              []exec.Entry
	}{
		{
			`SHOW MEASUREMENTS WITH MEASUREMENT =~ /x/ WHERE h = 'a' LIMIT 2 OFFSET 1`, "kind 1 where (_name=~x and (h!= and h=a)) keys all limit 0",
			"#0 measurements(name) b c\n",
			[]exec.Entry{{Measurement: "a"}, {Measurement: "b"}, {Measurement: "c"}},
		},
		{
			`SHOW SERIES FROM m, /n/ WHERE h != 'a' LIMIT 1`, "kind 5 where ((_name=m or _name=~n) and h!=a) keys all limit 1",
			"#0 (key) m,h=b\n",
			[]exec.Entry{{Measurement: "m", Key: "m,h=b"}},
		},
		{
			`SHOW TAG KEYS WITH KEY IN (h, r) LIMIT 1`, "kind 2 where all keys (=h or =r) limit 1",
			"#0 m(tagKey) h n(tagKey) x\n",
			[]exec.Entry{{Measurement: "m", Key: "h"}, {Measurement: "m", Key: "r"}, {Measurement: "n", Key: "x"}},
		},
		{
			`SHOW TAG VALUES FROM m WITH KEY !~ /h/ OFFSET 1`, "kind 3 where _name=m keys !~h limit 0",
			"#0 m(key,value) r 2\n",
			[]exec.Entry{{Measurement: "m", Key: "h", Value: "1"}, {Measurement: "m", Key: "r", Value: "2"}},
		},
		{
			`SHOW FIELD KEYS`, "kind 4 where all keys all limit 0",
			"#0 m(fieldKey,fieldType) v boolean v float\n",
			[]exec.Entry{{Measurement: "m", Key: "v", Type: model.Float}, {Measurement: "m", Key: "v", Type: model.Boolean}},
		},
	} {
		b := newBench(t, DefaultConfig())
		asked := ""
		b.storage.list = func(q *exec.ListRequest) []exec.Entry {
			asked = fmt.Sprintf("kind %d where %s keys %s limit %d", q.Kind, show(q.Where), show(q.Keys), q.Limit)
			return c.list
		}
		if got := b.run(t, Request{Text: c.text, Database: "db"}); got != c.want || asked != c.asked {
			t.Errorf("%s\n asked %s\n want  %s\n got %s want %s", c.text, asked, c.asked, got, c.want)
		}
	}
}

func TestAPanicIsAnErrorOfItsStatement(t *testing.T) {
	b := newBench(t, DefaultConfig())
	b.storage.list = func(*exec.ListRequest) []exec.Entry { panic("boom") }
	want := "#0 error: internal error: the statement failed, the server's log says more\n#1 error: not executed\n"
	if got := b.run(t, Request{Text: "SHOW SERIES; SHOW DATABASES", Database: "db"}); got != want {
		t.Errorf("got %s want %s", got, want)
	}
	if !strings.Contains(b.logged.String(), "boom") {
		t.Errorf("the log does not say what happened: %s", b.logged)
	}
}

func TestAPanicAtAShardIsLoggedAndCounted(t *testing.T) {
	b := newBench(t, DefaultConfig())
	b.storage.streams = []exec.Stream{exec.Pipe(model.AllTime, func(context.Context, func(*exec.Partial) error) error { panic("boom") })}
	want := "#0 error: internal error: the statement failed, the server's log says more\n"
	if got := b.run(t, Request{Text: "SELECT v FROM m", Database: "db"}); got != want {
		t.Errorf("got %s want %s", got, want)
	}
	if log := b.logged.String(); !strings.Contains(log, "boom") || !strings.Contains(log, "TestAPanicAtAShard") {
		t.Errorf("the log does not say what happened and where: %s", log)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(b.metrics.panics)
	families, err := reg.Gather()
	if err != nil || len(families) != 1 || families[0].GetMetric()[0].GetCounter().GetValue() != 1 {
		t.Errorf("counted %v, %v, want 1", families, err)
	}
}

func TestFullQueueRefusesAtOnceAndOperatorsGetThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{Concurrent: 1, Queue: 1})
		block, entered := make(chan struct{}), make(chan struct{}, 10)
		b.storage.list = func(*exec.ListRequest) []exec.Entry {
			entered <- struct{}{}
			<-block
			return nil
		}
		parse := func(text string) *Query {
			q, err := b.Parse(Request{Text: text, Database: "db"})
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		results := make(chan error, 2)
		go func() { results <- b.Execute(t.Context(), parse("SHOW SERIES"), new(recorder)) }()
		<-entered
		go func() { results <- b.Execute(t.Context(), parse("SHOW MEASUREMENTS"), new(recorder)) }()
		synctest.Wait() // the second one waits in the queue
		if err := b.Execute(t.Context(), parse("SHOW MEASUREMENTS"), new(recorder)); !errors.Is(err, model.ErrOverloaded) {
			t.Errorf("third query: %v, want %v", err, model.ErrOverloaded)
		}
		if err := b.Execute(t.Context(), parse("SHOW DATABASES; SHOW RETENTION POLICIES ON db"), new(recorder)); err != nil {
			t.Errorf("a query about databases: %v, want it done at once", err)
		}
		var sink recorder
		if err := b.Execute(t.Context(), parse("SHOW QUERIES"), &sink); err != nil || !strings.Contains(sink.String(), "SHOW SERIES db 0s running") {
			t.Errorf("SHOW QUERIES: %v %s", err, sink.String())
		}
		close(block)
		for range 2 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestKillEndsARunningQuery(t *testing.T) {
	b := newBench(t, DefaultConfig())
	q, err := b.Parse(Request{Text: "SHOW DATABASES; SHOW DATABASES", Database: "db"})
	if err != nil {
		t.Fatal(err)
	}
	var sink recorder
	sink.hook = func() {
		if sink.String() == "#0" {
			if got := b.run(t, Request{Text: "KILL QUERY 1; KILL QUERY 1"}); got != "#0\n#1 error: already killed\n" {
				t.Errorf("KILL QUERY: %s", got)
			}
		}
	}
	if err := b.Execute(t.Context(), q, &sink); err != nil {
		t.Fatal(err)
	}
	want := "#0 databases(name) db error: query interrupted\n#1 error: not executed\n"
	if got := sink.String(); got != want {
		t.Errorf("got %s want %s", got, want)
	}
}
