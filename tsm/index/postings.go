package index

import (
	"bytes"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// postings is the tags of series in memory, as columns: for each tag key of a
// measurement the series that have it, and the number of the value of each. A
// series costs 8 bytes a tag, and a condition is one pass over a column. Series
// are added in order of id.
type postings struct {
	byName map[string]*measurement
	last   *measurement // of the series that was added last
	bytes  int          // about what is held
}

type measurement struct {
	name   string
	series []uint32
	keys   map[string]*tagColumn
	order  []*tagColumn // as in the series that was added last
}

type tagColumn struct {
	key     string
	symbols map[string]uint32
	values  []string // by symbol
	series  []uint32
	symbol  []uint32 // per series

	recent [32]uint32 // by the ends of values: symbols plus one, found without the map
}

func newPostings() *postings { return &postings{byName: map[string]*measurement{}} }

// add adds a series by its canonical key.
func (p *postings) add(id uint32, key []byte) {
	token, rest, more := nextToken(key)
	m := p.measurement(token)
	m.series = append(m.series, id)
	p.bytes += 4
	for i := 0; more; i++ {
		token, rest, more = nextToken(rest)
		eq := indexEqual(token)
		name, value := plain(token[:eq], ", ="), plain(token[eq+1:], ", =")
		c := m.column(i, name)
		c.series = append(c.series, id)
		c.symbol = append(c.symbol, c.symbolOf(p, value))
		p.bytes += 8
	}
}

// plain gives b without the backslashes that escape.
func plain(b []byte, special string) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	return []byte(unescape(string(b), special))
}

func (p *postings) measurement(token []byte) *measurement {
	name := plain(token, ", ")
	if p.last != nil && p.last.name == string(name) {
		return p.last
	}
	m := p.byName[string(name)]
	if m == nil {
		m = &measurement{name: string(name), keys: map[string]*tagColumn{}}
		p.byName[m.name] = m
		p.bytes += 256 + len(m.name)
	}
	p.last = m
	return m
}

// column finds the column of the i-th tag of a series, most often that of the
// i-th tag of the series before.
func (m *measurement) column(i int, key []byte) *tagColumn {
	if i < len(m.order) && m.order[i].key == string(key) {
		return m.order[i]
	}
	c := m.keys[string(key)]
	if c == nil {
		c = &tagColumn{key: string(key), symbols: map[string]uint32{}}
		m.keys[c.key] = c
	}
	m.order = append(m.order[:min(i, len(m.order))], c)
	return c
}

func (c *tagColumn) symbolOf(p *postings, value []byte) uint32 {
	at := &c.recent[0]
	if n := len(value); n > 1 {
		at = &c.recent[(value[n-1]+5*value[n-2])%uint8(len(c.recent))]
	}
	if *at > 0 && c.values[*at-1] == string(value) {
		return *at - 1
	}
	s, ok := c.symbols[string(value)]
	if !ok {
		s = uint32(len(c.values))
		text := string(value)
		c.values = append(c.values, text)
		c.symbols[text] = s
		p.bytes += 64 + len(text)
	}
	*at = s + 1
	return s
}

// write writes all as the tags part of a file, of the series from
// first to before end.
func (p *postings) write(w *tagsWriter, first, end uint32) {
	names := make([]string, 0, len(p.byName))
	for name := range p.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		m := p.byName[name]
		lo, hi := within(m.series, first, end)
		if lo == hi {
			continue
		}
		w.measurement([]byte(name), roaring.BitmapOf(m.series[lo:hi]...))
		keys := make([]string, 0, len(m.keys))
		for key := range m.keys {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			m.keys[key].write(w, first, end)
		}
		w.endMeasurement()
	}
}

// within gives where the series from first to before end are.
func within(series []uint32, first, end uint32) (lo, hi int) {
	lo, _ = slices.BinarySearch(series, first)
	hi, _ = slices.BinarySearch(series, end)
	return lo, hi
}

func (c *tagColumn) write(w *tagsWriter, first, end uint32) {
	lo, hi := within(c.series, first, end)
	if lo == hi {
		return
	}
	all, symbols := c.series[lo:hi], c.symbol[lo:hi]
	// Series by symbol, by counting: those of symbol s are from starts[s] on.
	starts := make([]uint32, len(c.values)+1)
	for _, s := range symbols {
		starts[s+1]++
	}
	for s := 1; s < len(starts); s++ {
		starts[s] += starts[s-1]
	}
	sorted := make([]uint32, len(all))
	next := slices.Clone(starts)
	for i, s := range symbols {
		sorted[next[s]] = all[i]
		next[s]++
	}
	order := make([]uint32, 0, len(c.values))
	for s := range c.values {
		if starts[s] < starts[s+1] {
			order = append(order, uint32(s))
		}
	}
	slices.SortFunc(order, func(a, b uint32) int { return strings.Compare(c.values[a], c.values[b]) })
	w.key([]byte(c.key), roaring.BitmapOf(all...))
	for _, s := range order {
		series := sorted[starts[s]:starts[s+1]]
		if len(series) == 1 {
			w.one([]byte(c.values[s]), series[0])
		} else {
			w.many([]byte(c.values[s]), roaring.BitmapOf(series...))
		}
	}
	w.endKey()
}

// parses reports whether a key is one that model.AppendSeriesKey makes.
func parses(key []byte) bool {
	_, rest, more := nextToken(key)
	for more {
		var tag []byte
		if tag, rest, more = nextToken(rest); indexEqual(tag) < 0 {
			return false
		}
	}
	return true
}
