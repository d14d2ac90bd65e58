package data

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/internal/arena"
	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/exec/exectest"
	"github.com/varvedb/varve/query/plan"
	"github.com/varvedb/varve/tsm"
)

// summed is a Source that counts the statistics that it gave, or gives none.
type summed struct {
	exec.Source
	never bool
	given int
}

func (s *summed) Scan(o exec.ScanOptions) exec.Cursor { return &summedCursor{s.Source.Scan(o), s} }

type summedCursor struct {
	exec.Cursor
	s *summed
}

func (c *summedCursor) Next() (exec.Granule, error) {
	g, err := c.Cursor.Next()
	if err != nil {
		return nil, err
	}
	return &summedGranule{g, c.s}, nil
}

type summedGranule struct {
	exec.Granule
	s *summed
}

func (g *summedGranule) Stats(field int) (model.Stats, bool) {
	if g.s.never {
		return model.Stats{}, false
	}
	st, ok := g.Granule.Stats(field)
	if ok {
		g.s.given++
	}
	return st, ok
}

// summing is a shard with a random history, and its rows in a map.
type summing struct {
	t     *testing.T
	r     *rand.Rand
	shard *tsm.Shard
	cfg   tsm.Config
	dir   string
	now   time.Time
	seq   uint64
	rows  map[string]map[int64]map[string]any // by series key and time
}

const summingHosts = 5

func (h *summing) series(host int) (model.Tags, []byte) {
	tags := model.Tags{{Key: "host", Value: fmt.Sprint("h", host)}}
	return tags, model.AppendSeriesKey(nil, "cpu", tags)
}

func (h *summing) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *summing) send(b *model.Batch) {
	h.t.Helper()
	h.seq++
	h.now = h.now.Add(time.Duration(1+h.r.IntN(300)) * time.Millisecond)
	b.ID = model.BatchID{Origin: 1, Epoch: 1, Seq: h.seq}
	b.Version = model.Version{HLC: model.NewHLC(h.now), ID: b.ID}
	h.must(h.shard.Write(h.t.Context(), b))
}

// value gives a value of a field. Floats are multiples of 1/4, of which
// sums are the same in any order, so that answers can be compared exactly.
func (h *summing) value(field string) any {
	x := h.r.IntN(2000) - 1000
	switch field {
	case "b":
		return x%2 == 0
	case "f":
		return float64(x) / 4
	case "i":
		return int64(x)
	case "s":
		return fmt.Sprint("v", x%7)
	}
	return uint64(x + 1000)
}

// write writes rows that are even in time and new, or over others, or anywhere.
func (h *summing) write() {
	h.t.Helper()
	host := h.r.IntN(summingHosts)
	_, key := h.series(host)
	table := model.Table{Measurement: "cpu"}
	gaps := h.r.IntN(3) == 0
	for _, f := range []model.Field{
		{Name: "b", Type: model.Boolean},
		{Name: "f", Type: model.Float},
		{Name: "i", Type: model.Integer},
		{Name: "s", Type: model.String},
		{Name: "u", Type: model.Unsigned},
	} {
		if h.r.IntN(4) > 0 {
			table.Columns = append(table.Columns, model.Column{Field: f})
		}
	}
	if len(table.Columns) == 0 {
		return
	}
	if h.rows[string(key)] == nil {
		h.rows[string(key)] = map[int64]map[string]any{}
	}
	start, n := int64(h.r.IntN(3000)), 1+h.r.IntN([]int{3, 50, 1500}[h.r.IntN(3)])
	for i := range n {
		at := (start + int64(i)) * 10
		table.Series = append(table.Series, 0)
		table.Times = append(table.Times, at)
		row := h.rows[string(key)][at]
		if row == nil {
			row = map[string]any{}
			h.rows[string(key)][at] = row
		}
		for c := range table.Columns {
			column := &table.Columns[c]
			if gaps && c > 0 && h.r.IntN(5) == 0 {
				column.AppendNull()
				continue
			}
			v := h.value(column.Name)
			row[column.Name] = v
			switch v := v.(type) {
			case bool:
				bit := uint64(0)
				if v {
					bit = 1
				}
				column.AppendBits(bit)
			case float64:
				column.AppendBits(math.Float64bits(v))
			case int64:
				column.AppendBits(uint64(v))
			case string:
				column.AppendText([]byte(v))
			case uint64:
				column.AppendBits(v)
			}
		}
	}
	h.send(&model.Batch{Series: []model.Series{{Hash: model.HashSeriesKey(key, 1), Key: key}}, Tables: []model.Table{table}})
}

func (h *summing) delete() {
	h.t.Helper()
	d := &model.Delete{Range: model.AllTime}
	if h.r.IntN(4) > 0 {
		d.Range.Min = int64(h.r.IntN(30_000))
		d.Range.Max = d.Range.Min + int64(h.r.IntN(6_000))
	}
	host := h.r.IntN(summingHosts)
	tags, _ := h.series(host)
	d.Where = &model.Predicate{Op: model.Equal, Key: "host", Value: tags[0].Value}
	for other := range summingHosts {
		_, key := h.series(other)
		for at := range h.rows[string(key)] {
			if other == host && d.Range.Contains(at) {
				delete(h.rows[string(key)], at)
			}
		}
	}
	h.send(&model.Batch{Delete: d})
}

func (h *summing) reopen() {
	h.t.Helper()
	if h.shard != nil {
		h.must(h.shard.Close())
	}
	var err error
	h.shard, err = tsm.Open(vfs.OS, h.dir, h.cfg)
	h.must(err)
}

// model gives the rows of the map.
func (h *summing) model() *exectest.Memory {
	var rows []exectest.Row
	for host := range summingHosts {
		tags, key := h.series(host)
		for at, fields := range h.rows[string(key)] {
			rows = append(rows, exectest.Row{Measurement: "cpu", Tags: tags, Time: at, Fields: fields})
		}
	}
	return exectest.New(exectest.Options{NoStats: true}, rows...)
}

// query gives a statement that statistics may answer, in whole or in part.
func (h *summing) query() string {
	calls := []string{
		"count(b)", "count(f)", "count(i)", "count(s)", "count(u)",
		"sum(f)", "sum(i)", "sum(u)", "mean(f)", "mean(i)", "mean(u)", "spread(f)", "spread(i)", "spread(u)",
		"min(f)", "min(i)", "min(u)", "max(f)", "max(i)", "max(u)",
		"first(b)", "first(f)", "first(i)", "first(s)", "first(u)", "last(b)", "last(f)", "last(i)", "last(s)", "last(u)",
	}
	q := calls[h.r.IntN(len(calls))]
	for range h.r.IntN(3) {
		if c := calls[h.r.IntN(len(calls))]; q != c {
			q += ", " + c
		}
	}
	q = "SELECT " + q + " FROM cpu"
	if lo := h.r.IntN(30_000); h.r.IntN(2) == 0 {
		q += fmt.Sprintf(" WHERE time >= %d AND time < %d", lo, lo+1+h.r.IntN(20_000))
	} else {
		q += " WHERE time >= 0 AND time < 50000"
	}
	by := ""
	if h.r.IntN(2) == 0 {
		by = " GROUP BY host"
	}
	if every := []int{0, 100, 7_000, 20_000, 60_000}[h.r.IntN(5)]; every > 0 {
		if by == "" {
			by = " GROUP BY "
		} else {
			by += ", "
		}
		by += fmt.Sprintf("time(%du, %du)", every/1000+1, h.r.IntN(3))
	}
	return q + by
}

// answer gives the rows of a query as text.
func (h *summing) answer(q string, src exec.Source) string {
	h.t.Helper()
	stmt, err := influxql.ParseStatement(q)
	h.must(err)
	sel, err := plan.Compile(stmt.(*influxql.SelectStatement), plan.Options{Now: time.Unix(1e6, 0)})
	h.must(err)
	bound, err := sel.Bind([]plan.Schema{{Database: "db", Policy: "rp", Name: "cpu", Fields: src.Fields("cpu"), TagKeys: []string{"host"}}})
	h.must(err)
	open := func(f *plan.Fragment) ([]exec.Stream, error) {
		return []exec.Stream{exec.Pipe(model.AllTime, func(ctx context.Context, emit func(*exec.Partial) error) error {
			return exec.RunFragment(ctx, src, f, emit)
		})}, nil
	}
	var out strings.Builder
	h.must(exec.Finish(h.t.Context(), bound, open, func(r *exec.Rows) error {
		fmt.Fprintln(&out, r.Name, r.Tags, r.Columns)
		for i := range r.Len() {
			fmt.Fprint(&out, r.Times[i])
			for c := range r.Values {
				fmt.Fprint(&out, " ", r.Values[c].Value(i))
			}
			fmt.Fprintln(&out)
		}
		return nil
	}))
	return out.String()
}

// check compares the answers to some queries and gives how many statistics
// there were.
func (h *summing) check() (given int) {
	h.t.Helper()
	r, err := h.shard.Reader()
	h.must(err)
	defer r.Close()
	src := source{r, func(string) []model.Field { return nil }}
	rows := h.model()
	if !slices.Equal(src.Fields("cpu"), rows.Fields("cpu")) {
		return 0 // a field of which all is deleted may still be there
	}
	for range 25 {
		q := h.query()
		plain, loading := &summed{Source: src}, &summed{Source: src, never: true}
		want := h.answer(q, rows)
		for _, from := range []*summed{plain, loading} {
			if got := h.answer(q, from); got != want {
				h.t.Fatalf("%s, without statistics: %v:\n%s\nwant\n%s", q, from.never, got, want)
			}
		}
		given += plain.given
	}
	return given
}

// TestStatisticsAgreeWithValuesThroughRandomHistories runs aggregates over a
// shard, by its statistics and by its values, and over a map of what was written.
func TestStatisticsAgreeWithValuesThroughRandomHistories(t *testing.T) {
	histories := 12
	if testing.Short() {
		histories = 3
	}
	r := seeded.Rand(t)
	given := 0
	for n := range histories {
		h := &summing{t: t, r: r, dir: fmt.Sprint(t.TempDir(), "/", n), now: time.UnixMilli(1_700_000_000_000), rows: map[string]map[int64]map[string]any{}}
		h.cfg = tsm.DefaultConfig()
		h.cfg.ReservedBytes = 0
		h.cfg.Now = func() time.Time { return h.now }
		h.cfg.PackBytes = 1 << r.IntN(24)
		h.cfg.CompactFiles = 2 + r.IntN(4)
		if r.IntN(2) == 0 {
			h.cfg.Arena = arena.New(1 << 22)
		}
		h.reopen()
		for range 40 {
			switch k := r.IntN(40); {
			case k < 20:
				h.write()
			case k < 23:
				h.delete()
			case k < 29:
				h.must(h.shard.Flush(t.Context()))
			case k < 32:
				h.must(h.shard.Pack())
			case k < 35:
				h.must(h.shard.Compact(t.Context()))
			case k < 36:
				h.reopen()
			default:
				given += h.check()
			}
		}
		given += h.check()
		h.must(h.shard.Close())
	}
	if given == 0 {
		t.Error("no statistics were used")
	}
	t.Logf("%d statistics used", given)
}
