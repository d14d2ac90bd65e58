package exec_test

import (
	"fmt"
	"io"
	"math"
	"testing"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/exec/exectest"
	"github.com/varvedb/varve/query/plan"
)

// tape is a Source that costs nothing to read: every series has the same
// granules of one field, a row every 10 s.
type tape struct {
	exec.Source
	series   int
	granules []tapeGranule
	stats    bool
}

type tapeGranule struct {
	t      *tape
	times  []int64
	column model.Column
	stats  model.Stats
}

const tapeRows = 1024

func newTape(series, granules int, stats bool) *tape {
	t := &tape{series: series, stats: stats}
	at := int64(0)
	for range granules {
		g := tapeGranule{t: t}
		c := model.Column{Field: model.Field{Name: "f", Type: model.Float}}
		for i := range tapeRows {
			g.times = append(g.times, at)
			at += int64(10 * time.Second)
			c.AppendBits(math.Float64bits(float64(i)))
		}
		g.column = c
		g.stats = model.Stats{Count: tapeRows, Max: c.Bits[tapeRows-1], Last: c.Bits[tapeRows-1], Sum: math.Float64bits(tapeRows * (tapeRows - 1) / 2)}
		t.granules = append(t.granules, g)
	}
	return t
}

func (t *tape) Fields(string) []model.Field { return []model.Field{{Name: "f", Type: model.Float}} }
func (t *tape) Tags(id uint32) model.Tags   { return model.Tags{{Key: "h", Value: fmt.Sprint(id)}} }
func (t *tape) Key(id uint32) []byte        { return fmt.Appendf(nil, "m,h=%d", id) }

func (t *tape) Series(string, *model.Predicate) ([]uint32, error) {
	ids := make([]uint32, t.series)
	for i := range ids {
		ids[i] = uint32(i)
	}
	return ids, nil
}

func (t *tape) Tag(id uint32, _ string) string { return fmt.Sprint(id) }

func (t *tape) Scan(exec.ScanOptions) exec.Cursor { return &tapeCursor{t: t} }

type tapeCursor struct {
	t    *tape
	left []tapeGranule
	now  *tapeGranule
}

func (c *tapeCursor) Seek(uint32, model.TimeRange) { c.left = c.t.granules }

func (c *tapeCursor) Next() (exec.Granule, error) {
	if len(c.left) == 0 {
		return nil, io.EOF
	}
	c.now, c.left = &c.left[0], c.left[1:]
	return c.now, nil
}

func (c *tapeCursor) Close() error { return nil }

func (g *tapeGranule) Len() int { return len(g.times) }
func (g *tapeGranule) Range() model.TimeRange {
	return model.TimeRange{Min: g.times[0], Max: g.times[len(g.times)-1]}
}
func (g *tapeGranule) Stats(int) (model.Stats, bool)     { return g.stats, g.t.stats }
func (g *tapeGranule) Times() ([]int64, error)           { return g.times, nil }
func (g *tapeGranule) Column(int) (*model.Column, error) { return &g.column, nil }

func BenchmarkFragment(b *testing.B) {
	const series, granules = 100, 10
	schema := oneShard(b, exectest.Options{}, "m,h=0 f=1 0")
	for _, c := range []struct {
		name, q string
		stats   bool
	}{
		{"MeanByStats", "SELECT mean(f) FROM m GROUP BY h", true},
		{"MeanByRows", "SELECT mean(f) FROM m GROUP BY h", false},
		{"MeanByHour", "SELECT mean(f) FROM m WHERE time < 200000s GROUP BY time(1h), h", false},
		{"MaxByMinute", "SELECT max(f) FROM m WHERE time < 200000s GROUP BY time(1m)", false},
		{"MaxFiltered", "SELECT max(f) FROM m WHERE f > 900", false},
		{"RawBySeries", "SELECT f FROM m GROUP BY h", false},
		{"RawMerged", "SELECT f FROM m", false},
	} {
		b.Run(c.name, func(b *testing.B) {
			src := newTape(series, granules, c.stats)
			f := bind(b, c.q, plan.Options{Now: time.Unix(1e6, 0)}, schema).Fragments()[0]
			b.ReportAllocs()
			for b.Loop() {
				if err := exec.RunFragment(b.Context(), src, f, func(*exec.Partial) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(series*granules*tapeRows)*float64(b.N)/b.Elapsed().Seconds(), "points/s")
		})
	}
}
