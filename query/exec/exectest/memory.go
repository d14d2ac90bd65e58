package exectest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"sync/atomic"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
)

// Row is one point. Values are float64, int64, uint64, string or bool.
type Row struct {
	Measurement string
	Tags        model.Tags // sorted
	Time        int64
	Fields      map[string]any
}

// Options says how a Memory shows its rows.
type Options struct {
	GranuleRows int  // rows of a granule at most; 0 for 1024
	NoStats     bool // never give statistics, so that every granule is loaded
}

// Memory is a Source over rows. It counts the granules of which rows were read.
type Memory struct {
	Loaded atomic.Int64

	opt    Options
	series []*series // by id
	byKey  map[string]uint32
}

type series struct {
	measurement string
	tags        model.Tags
	key         []byte
	rows        map[int64]map[model.Field]any
	times       []int64 // sorted
}

var _ exec.Source = (*Memory)(nil)

// New gives a Source of rows. Of two values for one cell the later row's wins.
func New(opt Options, rows ...Row) *Memory {
	m := &Memory{opt: opt, byKey: map[string]uint32{}}
	if m.opt.GranuleRows == 0 {
		m.opt.GranuleRows = 1024
	}
	for i := range rows {
		m.add(&rows[i])
	}
	for _, s := range m.series {
		for t := range s.rows {
			s.times = append(s.times, t)
		}
		slices.Sort(s.times)
	}
	return m
}

func (m *Memory) add(r *Row) {
	key := model.AppendSeriesKey(nil, r.Measurement, r.Tags)
	id, ok := m.byKey[string(key)]
	if !ok {
		id = uint32(len(m.series))
		m.byKey[string(key)] = id
		m.series = append(m.series, &series{measurement: r.Measurement, tags: r.Tags, key: key, rows: map[int64]map[model.Field]any{}})
	}
	s := m.series[id]
	row := s.rows[r.Time]
	if row == nil {
		row = map[model.Field]any{}
		s.rows[r.Time] = row
	}
	for name, v := range r.Fields {
		row[model.Field{Name: name, Type: typeOf(v)}] = v
	}
}

func typeOf(v any) model.FieldType {
	switch v.(type) {
	case float64:
		return model.Float
	case int64:
		return model.Integer
	case uint64:
		return model.Unsigned
	case string:
		return model.String
	case bool:
		return model.Boolean
	}
	panic(fmt.Sprintf("exectest: a field of type %T", v))
}

// Measurements implements exec.Source.
func (m *Memory) Measurements() []string {
	var out []string
	for _, s := range m.series {
		out = append(out, s.measurement)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Fields implements exec.Source.
func (m *Memory) Fields(measurement string) []model.Field {
	var out []model.Field
	for _, s := range m.series {
		if s.measurement != measurement {
			continue
		}
		for _, row := range s.rows {
			for f := range row {
				if !slices.Contains(out, f) {
					out = append(out, f)
				}
			}
		}
	}
	slices.SortFunc(out, func(x, y model.Field) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Type, y.Type))
	})
	return out
}

// TagKeys implements exec.Source.
func (m *Memory) TagKeys(measurement string) []string {
	var out []string
	for _, s := range m.series {
		if s.measurement == measurement {
			for _, t := range s.tags {
				out = append(out, t.Key)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TagValues implements exec.Source.
func (m *Memory) TagValues(_ context.Context, measurement, key string) ([]string, error) {
	var out []string
	for _, s := range m.series {
		if v := s.tags.Get(key); v != "" && s.measurement == measurement {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Series implements exec.Source.
func (m *Memory) Series(measurement string, where *model.Predicate) ([]uint32, error) {
	var out []uint32
	for id, s := range m.series {
		if s.measurement == measurement && where.Holds(s.measurement, s.tags) {
			out = append(out, uint32(id))
		}
	}
	return out, nil
}

// Hashes implements exec.Source.
func (m *Memory) Hashes(series []uint32) ([]model.SeriesHash, error) {
	out := make([]model.SeriesHash, len(series))
	for i, id := range series {
		out[i] = model.HashSeriesKey(m.series[id].key, 0)
	}
	return out, nil
}

// Tags implements exec.Source.
func (m *Memory) Tags(id uint32) model.Tags { return m.series[id].tags }

// Tag implements exec.Source.
func (m *Memory) Tag(id uint32, key string) string { return m.series[id].tags.Get(key) }

// Key implements exec.Source.
func (m *Memory) Key(id uint32) []byte { return m.series[id].key }

// Close implements exec.Source.
func (m *Memory) Close() error { return nil }

// Scan implements exec.Source.
func (m *Memory) Scan(o exec.ScanOptions) exec.Cursor { return &cursor{m: m, o: o} }

type cursor struct {
	m        *Memory
	o        exec.ScanOptions
	granules []*granule
}

func (c *cursor) Seek(id uint32, times model.TimeRange) {
	c.granules = nil
	all := c.m.series[id].times
	for lo := 0; lo < len(all); lo += c.m.opt.GranuleRows {
		g := &granule{m: c.m, o: &c.o, id: id, times: all[lo:min(lo+c.m.opt.GranuleRows, len(all))]}
		if g.Range().Overlaps(times) {
			c.granules = append(c.granules, g)
		}
	}
	if c.o.Descending {
		slices.Reverse(c.granules)
	}
}

func (c *cursor) Next() (exec.Granule, error) {
	if len(c.granules) == 0 {
		return nil, io.EOF
	}
	g := c.granules[0]
	c.granules = c.granules[1:]
	return g, nil
}

func (c *cursor) Close() error { return nil }

type granule struct {
	m      *Memory
	o      *exec.ScanOptions
	id     uint32
	times  []int64
	loaded bool
}

func (g *granule) Len() int { return len(g.times) }

func (g *granule) Range() model.TimeRange {
	return model.TimeRange{Min: g.times[0], Max: g.times[len(g.times)-1]}
}

func (g *granule) column(f model.Field) model.Column {
	c := model.Column{Field: f}
	for _, t := range g.times {
		switch v := g.m.series[g.id].rows[t][f].(type) {
		case nil:
			c.AppendNull()
		case float64:
			c.AppendBits(math.Float64bits(v))
		case int64:
			c.AppendBits(uint64(v))
		case uint64:
			c.AppendBits(v)
		case string:
			c.AppendText([]byte(v))
		case bool:
			if v {
				c.AppendBits(1)
			} else {
				c.AppendBits(0)
			}
		}
	}
	return c
}

// Stats gives statistics, unless the options forbid it.
func (g *granule) Stats(field int) (model.Stats, bool) {
	if g.m.opt.NoStats {
		return model.Stats{}, false
	}
	c := g.column(g.o.Fields[field])
	var s model.Stats
	for i := range c.Len() {
		if !c.Has(i) {
			continue
		}
		s.Count++
		if c.Type == model.String {
			continue
		}
		v := c.Bits[i]
		if s.Count == 1 {
			s.First, s.Min, s.Max = v, v, v
		}
		s.Last = v
		if less(c.Type, v, s.Min) {
			s.Min = v
		}
		if less(c.Type, s.Max, v) {
			s.Max = v
		}
		if c.Type == model.Float {
			s.Sum = math.Float64bits(math.Float64frombits(s.Sum) + math.Float64frombits(v))
		} else {
			s.Sum += v
		}
	}
	return s, true
}

func less(t model.FieldType, x, y uint64) bool {
	switch t {
	case model.Float:
		return math.Float64frombits(x) < math.Float64frombits(y)
	case model.Integer:
		return int64(x) < int64(y)
	}
	return x < y
}

func (g *granule) Times() ([]int64, error) {
	g.load()
	return g.times, nil
}

func (g *granule) Column(field int) (*model.Column, error) {
	g.load()
	c := g.column(g.o.Fields[field])
	return &c, nil
}

func (g *granule) load() {
	if !g.loaded {
		g.loaded = true
		g.m.Loaded.Add(1)
	}
}
