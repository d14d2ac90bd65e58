package tsm

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	iofs "io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/arena"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

var seedFlag = flag.Uint64("seed", 0, "run random tests with this seed only")

// seeds gives n seeds, or the one of -seed.
func seeds(n uint64) []uint64 {
	if *seedFlag != 0 {
		return []uint64{*seedFlag}
	}
	var all []uint64
	for i := range n {
		all = append(all, i+1)
	}
	return all
}

// history makes random batches and knows what a shard that took them holds.
type history struct {
	rng     *rand.Rand
	now     time.Time
	seq     uint64
	late    bool // some batches arrive out of the order of their versions
	taken   []*model.Batch
	metrics *Metrics
	arena   *arena.Pool

	packBytes int64 // at which a start packs what it replays
}

const hashSeed = 42

func newHistory(seed uint64) *history {
	h := &history{
		rng: rand.New(rand.NewPCG(seed, 7)), now: time.UnixMilli(1_700_000_000_000), late: seed%3 == 0, metrics: NewMetrics(nil),
		packBytes: 1 << (seed * 5 % 24),
	}
	if seed%2 == 0 {
		h.arena = arena.New(1 << 20)
	}
	return h
}

func (h *history) config() Config {
	cfg := DefaultConfig()
	cfg.Arena = h.arena
	cfg.PackBytes = h.packBytes
	cfg.Now = func() time.Time { return h.now }
	cfg.ReservedBytes = 0
	cfg.Metrics = h.metrics
	return cfg
}

func (h *history) stamp(b *model.Batch) *model.Batch {
	h.now = h.now.Add(time.Duration(h.rng.IntN(300)) * time.Millisecond)
	at := h.now
	if h.late && h.rng.IntN(4) == 0 {
		at = at.Add(-time.Duration(h.rng.IntN(400)) * time.Millisecond)
	}
	h.seq++
	b.ID = model.BatchID{Origin: 1 + h.seq%2, Epoch: 9, Seq: h.seq}
	b.Version = model.Version{HLC: model.NewHLC(at), ID: b.ID}
	return b
}

var testFields = []model.Field{
	{Name: "b", Type: model.Boolean},
	{Name: "f", Type: model.Float},
	{Name: "i", Type: model.Integer},
	{Name: "s", Type: model.String},
	{Name: "u", Type: model.Unsigned},
}

// rows makes a batch of rows on few series and times, so that they collide.
func (h *history) rows(maxRows int) *model.Batch {
	b := &model.Batch{}
	for _, name := range []string{"cpu", "m em"} {
		if h.rng.IntN(3) == 0 && name == "cpu" {
			continue
		}
		t := model.Table{Measurement: name}
		first := len(b.Series)
		for i := range 1 + h.rng.IntN(4) {
			tags := model.Tags{{Key: "host", Value: fmt.Sprint("h", h.rng.IntN(5))}, {Key: "n", Value: fmt.Sprint(i)}}
			key := model.AppendSeriesKey(nil, name, tags)
			b.Series = append(b.Series, model.Series{Hash: model.HashSeriesKey(key, hashSeed), Key: key})
		}
		for _, f := range testFields {
			if h.rng.IntN(2) == 0 || f.Type == model.Integer {
				t.Columns = append(t.Columns, model.Column{Field: f})
			}
		}
		start, step := int64(h.rng.IntN(200))*10, int64(1+h.rng.IntN(3))*10
		for i := range 1 + h.rng.IntN(maxRows) {
			t.Series = append(t.Series, uint32(first+h.rng.IntN(len(b.Series)-first)))
			at := start + int64(i)*step
			if h.rng.IntN(10) == 0 {
				at = int64(h.rng.IntN(300)) * 10
			}
			t.Times = append(t.Times, at)
			for c := range t.Columns {
				h.value(&t.Columns[c])
			}
		}
		b.Tables = append(b.Tables, t)
	}
	return h.stamp(b)
}

func (h *history) value(c *model.Column) {
	if c.Type != model.Integer && h.rng.IntN(4) == 0 {
		c.AppendNull()
		return
	}
	switch c.Type {
	case model.Float:
		c.AppendBits(math.Float64bits(float64(h.rng.IntN(1000)) / 10))
	case model.String:
		c.AppendText([]byte(fmt.Sprint("v", h.rng.IntN(9))))
	case model.Boolean:
		c.AppendBits(uint64(h.rng.IntN(2)))
	default:
		c.AppendBits(uint64(h.rng.IntN(1000)))
	}
}

func (h *history) delete() *model.Batch {
	d := &model.Delete{Range: model.AllTime}
	if h.rng.IntN(3) > 0 {
		d.Range.Min = int64(h.rng.IntN(250)) * 10
		d.Range.Max = d.Range.Min + int64(h.rng.IntN(150))*10
	}
	host := fmt.Sprint("h", h.rng.IntN(5))
	switch h.rng.IntN(4) {
	case 0:
		d.Where = model.IsMeasurement("cpu")
	case 1:
		d.Where = &model.Predicate{Op: model.NotEqual, Key: "host", Value: host}
	case 2:
		d.Where = model.AllOf(model.IsMeasurement("m em"), model.MatchRegexp("host", regexp.MustCompile("h[12]"), false))
	default:
		d.Where = &model.Predicate{Op: model.Equal, Key: "host", Value: host}
	}
	return h.stamp(&model.Batch{Delete: d})
}

// cell names a value.
type cell struct {
	series string
	time   int64
	field  model.Field
}

// content gives every cell of the shard: batches in the order of their
// versions, one after the other.
func (h *history) content() map[cell]any { return contentOf(h.taken) }

func contentOf(batches []*model.Batch) map[cell]any {
	all := map[cell]any{}
	for _, b := range slices.SortedFunc(slices.Values(batches), func(a, b *model.Batch) int { return a.Version.Compare(b.Version) }) {
		if b.Delete != nil {
			maps.DeleteFunc(all, func(c cell, _ any) bool {
				name, tags, _ := model.ParseSeriesKey([]byte(c.series))
				return b.Delete.Range.Contains(c.time) && b.Delete.Where.Holds(name, tags)
			})
			continue
		}
		for i := range b.Tables {
			t := &b.Tables[i]
			for row, at := range t.Times {
				for c := range t.Columns {
					if v := t.Columns[c].Value(row); v != nil {
						all[cell{string(b.Series[t.Series[row]].Key), at, t.Columns[c].Field}] = v
					}
				}
			}
		}
	}
	return all
}

// write gives b to s and, when it is acknowledged, to h.
func (h *history) write(t *testing.T, s *Shard, b *model.Batch) {
	t.Helper()
	keys := b.Series
	if h.rng.IntN(2) == 0 {
		b.Series = slices.Clone(keys)
		for i := range b.Series {
			b.Series[i].Key = nil
		}
	}
	err := s.Write(context.Background(), b)
	b.Series = keys
	if errors.Is(err, model.ErrNeedKeys) {
		err = s.Write(context.Background(), b)
	}
	switch {
	case err == nil:
		h.taken = append(h.taken, b)
	case errors.Is(err, errStale) && h.late:
	default:
		t.Fatalf("Write: %v", err)
	}
}

// read gives the cells that a shard answers with, scanning forth, back, and by
// statistics, which must agree.
func read(t *testing.T, s *Shard, within model.TimeRange) map[cell]any {
	t.Helper()
	r, err := s.Reader()
	if err != nil {
		t.Fatalf("Reader: %v", err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Errorf("close reader: %v", err)
		}
	}()
	all := map[cell]any{}
	for _, name := range r.Measurements() {
		series, err := r.Series(name, nil)
		if err != nil {
			t.Fatalf("Series(%q): %v", name, err)
		}
		forth := map[cell]any{}
		o := ScanOptions{Series: series, Fields: r.Fields(name), Range: within}
		scan(t, r, o, forth)
		back := map[cell]any{}
		o.Descending = true
		scan(t, r, o, back)
		if !maps.Equal(forth, back) {
			t.Fatalf("%q: scanning back gives %d cells, forth %d", name, len(back), len(forth))
		}
		maps.Copy(all, forth)
	}
	return all
}

func scan(t *testing.T, r *Reader, o ScanOptions, into map[cell]any) {
	t.Helper()
	c := r.Scan(o)
	defer c.Close()
	at, last := -1, model.TimeRange{}
	for {
		g, err := c.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("Next: %v", err)
		}
		if at < 0 || o.Series[at] != g.Series() {
			for at++; o.Series[at] != g.Series(); at++ {
				continue
			}
		} else if o.Descending && g.Range().Max >= last.Min || !o.Descending && g.Range().Min <= last.Max {
			t.Fatalf("series %d: granule %v after %v", g.Series(), g.Range(), last)
		}
		last = g.Range()
		stats := make([]model.Stats, len(o.Fields))
		exact := make([]bool, len(o.Fields))
		for i := range o.Fields {
			stats[i], exact[i] = g.Stats(i)
		}
		times, columns, err := g.Load()
		if err != nil {
			t.Fatalf("Load: %v", err)
		}
		if len(times) != g.Len() || times[0] != last.Min || times[len(times)-1] != last.Max || !o.Range.Covers(last) {
			t.Fatalf("granule of %d rows in %v, loaded %d rows %d..%d of %v", g.Len(), last, len(times), times[0], times[len(times)-1], o.Range)
		}
		for i := 1; i < len(times); i++ {
			if times[i] <= times[i-1] {
				t.Fatalf("time %d after %d", times[i], times[i-1])
			}
		}
		key := string(r.Key(g.Series()))
		for i, f := range o.Fields {
			if columns[i].Field != f || columns[i].Len() != len(times) {
				t.Fatalf("column %v of %d rows, want %v of %d", columns[i].Field, columns[i].Len(), f, len(times))
			}
			if exact[i] {
				checkStats(t, stats[i], &columns[i])
			}
			for row := range times {
				if v := columns[i].Value(row); v != nil {
					into[cell{key, times[row], f}] = v
				}
			}
		}
	}
}

func checkStats(t *testing.T, got model.Stats, c *model.Column) {
	t.Helper()
	var want model.Stats
	sum, low, high := 0.0, 0.0, 0.0
	for i := range c.Len() {
		if !c.Has(i) {
			continue
		}
		want.Count++
		if c.Type == model.String {
			continue
		}
		v, n := c.Bits[i], float64(c.Bits[i])
		if c.Type == model.Float {
			n = math.Float64frombits(v)
			sum += n
		} else if c.Type != model.Boolean {
			want.Sum += v
		}
		if want.Count == 1 {
			want.First, want.Min, want.Max, low, high = v, v, v, n, n
		}
		want.Last = v
		if n < low {
			want.Min, low = v, n
		}
		if n > high {
			want.Max, high = v, n
		}
	}
	if c.Type == model.Float {
		want.Sum = math.Float64bits(sum)
		if want.Count == 0 {
			want.Sum = got.Sum
		}
	}
	if got != want {
		t.Fatalf("statistics of %v: %+v, by decoding %+v", c.Field, got, want)
	}
}

// check compares what s answers with what it took.
func (h *history) check(t *testing.T, s *Shard) {
	t.Helper()
	want := h.content()
	compare(t, read(t, s, model.AllTime), want)
	part := model.TimeRange{Min: int64(h.rng.IntN(2000)), Max: int64(h.rng.IntN(3500))}
	maps.DeleteFunc(want, func(c cell, _ any) bool { return !part.Contains(c.time) })
	compare(t, read(t, s, part), want)
}

func compare(t *testing.T, got, want map[cell]any) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	shown := 0
	keys := slices.Collect(maps.Keys(got))
	for c := range want {
		if _, ok := got[c]; !ok {
			keys = append(keys, c)
		}
	}
	slices.SortFunc(keys, func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.series, b.series), cmp.Compare(a.time, b.time), cmp.Compare(a.field.Name, b.field.Name))
	})
	for _, c := range keys {
		if got[c] != want[c] && shown < 10 {
			shown++
			t.Errorf("%v: got %v, want %v", c, got[c], want[c])
		}
	}
	t.Fatalf("got %d cells, want %d", len(got), len(want))
}

// checkListing compares the series and fields listed with those that have data.
func (h *history) checkListing(t *testing.T, s *Shard) {
	t.Helper()
	want := map[string]bool{}
	for c := range h.content() {
		want[c.series] = true
	}
	r, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := map[string]bool{}
	for _, name := range r.Measurements() {
		ids, err := r.Series(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(ids) == 0 {
			t.Errorf("measurement %q is listed without series", name)
		}
		for _, id := range ids {
			got[string(r.Key(id))] = true
		}
	}
	for key := range got {
		if !want[key] {
			t.Errorf("series %s is listed and has no data", key)
		}
	}
	for key := range want {
		if !got[key] {
			t.Errorf("series %s has data and is not listed", key)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// heldReader is a Reader that is kept open while the shard goes on.
type heldReader struct {
	r    *Reader
	want map[cell]any
}

func (h *history) hold(t *testing.T, s *Shard) heldReader {
	t.Helper()
	r, err := s.Reader()
	if err != nil {
		t.Fatalf("Reader: %v", err)
	}
	if h.rng.IntN(2) == 0 {
		r.slabViews("cpu") // others look for the first time when more has come
		r.slabViews("m em")
	}
	return heldReader{r, h.content()}
}

// check wants r to give what there was when it was made, and closes it. Series
// may have been taken out of the listings since.
func (r heldReader) check(t *testing.T) {
	t.Helper()
	got := map[cell]any{}
	for _, name := range []string{"cpu", "m em"} {
		o := ScanOptions{Fields: testFields, Range: model.AllTime}
		for id := range r.r.below {
			if m, _, _ := model.ParseSeriesKey(r.r.Key(id)); m == name {
				o.Series = append(o.Series, id)
			}
		}
		scan(t, r.r, o, got)
	}
	compare(t, got, r.want)
	// A start since then has removed the files that only r had.
	if err := r.r.Close(); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("close reader: %v", err)
	}
}

func TestShardAgreesWithMapThroughRandomHistories(t *testing.T) {
	for _, seed := range seeds(16) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			h := newHistory(seed)
			fs := vfs.NewMem()
			s, err := Open(fs, "shards/1", h.config())
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			ctx := context.Background()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			reopen := func() {
				t.Helper()
				s, err = Open(fs, "shards/1", h.config())
				must(err)
			}
			var held []heldReader
			maxRows, steps := 8, 60
			if seed%4 == 0 {
				maxRows, steps = 1500, 8 // several granules a series
			}
			for range steps {
				if h.rng.IntN(6) == 0 {
					must(s.Pack())
				}
				if h.rng.IntN(4) == 0 {
					held = append(held, h.hold(t, s))
				}
				switch op := h.rng.IntN(20); {
				case op < 11:
					h.write(t, s, h.rows(maxRows))
				case op < 13:
					h.write(t, s, h.delete())
				case op < 15:
					must(s.Flush(ctx))
				case op < 16:
					must(s.Compact(ctx))
				case op < 17:
					must(s.compactTier(ctx))
				case op < 18:
					must(s.Close())
					reopen()
				case op < 19:
					fs = fs.CrashClone(func() bool { return h.rng.IntN(2) == 0 })
					must(s.Close())
					reopen()
				default:
					h.now = h.now.Add(time.Duration(1+h.rng.IntN(15)) * time.Second)
				}
				for len(held) > 0 && h.rng.IntN(3) == 0 {
					i := h.rng.IntN(len(held))
					held[i].check(t)
					held = slices.Delete(held, i, i+1)
				}
				h.check(t, s)
				h.checkListing(t, s)
			}
			h.now = h.now.Add(time.Minute)
			must(s.Flush(ctx))
			must(s.Compact(ctx))
			h.check(t, s)
			if i := s.Info(); i.Files > 1 || i.Hot || len(s.mu.deletes.all) > 0 || i.Files == 1 && s.mu.files[0].meta.versioned {
				t.Errorf("after the last compaction: %+v, %d deletes", i, len(s.mu.deletes.all))
			}
			must(s.Close())
			for _, r := range held {
				r.check(t)
			}
			if n := h.arena.Used(); n != 0 {
				t.Errorf("%d bytes of memory are in use after all was closed", n)
			}
			must(h.arena.Close())
		})
	}
}
