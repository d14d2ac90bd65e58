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
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/memory"
)

// fakeQuotas writes down what it is asked.
type fakeQuotas struct {
	asked   []string
	in      int
	refusal error
	memory  []*memory.Pool
}

func (f *fakeQuotas) Admit(_ context.Context, user string, databases []string) (Share, error) {
	slices.Sort(databases)
	f.asked = append(f.asked, fmt.Sprintf("%s %v", user, databases))
	if f.refusal != nil {
		return Share{}, f.refusal
	}
	f.in++
	return Share{Memory: f.memory, Leave: func() { f.in-- }}, nil
}

func (f *fakeQuotas) Spend(_ context.Context, user, database string, points int) error {
	f.asked = append(f.asked, fmt.Sprintf("%s writes %d to %s", user, points, database))
	return f.refusal
}

// named is a user who may do everything.
type named string

func (n named) Name() string                      { return string(n) }
func (named) Admin() bool                         { return true }
func (named) May(string, influxql.Privilege) bool { return true }

func TestQuotasAreAskedForWhatARequestTouches(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT v FROM m":    "bob [db]",
		"SELECT v FROM a..m": "bob [a]",
		"SELECT v INTO c..m FROM (SELECT v FROM a..m), b..m": "bob [a b c]",
		"SHOW SERIES ON a; SHOW TAG KEYS FROM b..m":          "bob [a b db]",
		"SHOW DATABASES": "",
		"SHOW QUERIES":   "",
	} {
		b, q := newBench(t, Config{Concurrent: 1}), &fakeQuotas{}
		b.LimitBy(q)
		b.run(t, Request{Text: text, Database: "db", User: named("bob")})
		if got := strings.Join(q.asked, "; "); got != want || q.in != 0 {
			t.Errorf("%s: asked for %q, want %q; %d have not left", text, got, want, q.in)
		}
	}
}

func TestWhomAQuotaRefusesDoesNotRun(t *testing.T) {
	b, q := newBench(t, Config{Concurrent: 1}), &fakeQuotas{refusal: &model.Overload{Text: "no"}}
	b.LimitBy(q)
	b.storage.list = func(*exec.ListRequest) []exec.Entry { t.Error("it ran"); return nil }
	parsed, err := b.Parse(Request{Text: "SHOW SERIES", Database: "db"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Execute(t.Context(), parsed, new(recorder)); !errors.Is(err, model.ErrOverloaded) {
		t.Errorf("got %v", err)
	}
}

func TestStatementsDrawOnTheMemoryOfTheirQuotas(t *testing.T) {
	b, pool := newBench(t, Config{Concurrent: 1}), memory.PoolOf(`database "db"`)
	pool.SetLimit(4 << 20)
	b.LimitBy(&fakeQuotas{memory: []*memory.Pool{pool}})
	var got error
	b.storage.schema = func(ctx context.Context) error {
		got = memory.FromContext(ctx).Take(5 << 20)
		return got
	}
	b.run(t, Request{Text: "SELECT v FROM m", Database: "db"})
	want := `the memory for queries of database "db" is used up (0 of 4194304 bytes), try again later`
	if !errors.Is(got, model.ErrOverloaded) || got.Error() != want || pool.Used() != 0 {
		t.Errorf("got %v, want %q; %d bytes are held", got, want, pool.Used())
	}
}

func TestContinuousQueriesWaitForNobodyAndHaveNoQuota(t *testing.T) {
	b, q := newBench(t, Config{Concurrent: 1}), &fakeQuotas{refusal: errors.New("no")}
	b.LimitBy(q)
	b.WriteTo(&sizes{})
	b.admit.slots <- struct{}{} // clients keep everything busy
	c, err := ParseContinuous("db", "CREATE CONTINUOUS QUERY c ON db BEGIN SELECT mean(v) INTO n FROM m GROUP BY time(1m) END")
	if err != nil {
		t.Fatal(err)
	}
	run, err := c.Over(model.TimeRange{Min: 0, Max: 59e9}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var w Written
	if err := b.Execute(t.Context(), run, &w); err != nil || w.Err != nil || len(q.asked) > 0 {
		t.Errorf("got %v, %v, asked for %q", err, w.Err, q.asked)
	}
}

func TestIntoAsksBeforeItWrites(t *testing.T) {
	w, q := &sizes{}, &fakeQuotas{}
	to := &into{writer: w, to: Destination{Database: "db"}, spend: func(ctx context.Context, database string, points int) error {
		return q.Spend(ctx, "bob", database, points)
	}}
	if err := errors.Join(to.add(t.Context(), piece(nil, 5, 1)), to.finish(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(q.asked, "; "); got != "bob writes 5 to db" {
		t.Errorf("asked for %q", got)
	}
}
