package index

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

const all = math.MaxUint32

func add(t testing.TB, x *Index, key string) uint32 {
	t.Helper()
	id, _, err := x.Add(model.HashSeriesKey([]byte(key), 1), []byte(key))
	if err != nil {
		t.Fatalf("Add(%q): %v", key, err)
	}
	return id
}

// fill adds series with random tags, some without.
func fill(t testing.TB, rng *rand.Rand, n int) (*Index, []string) {
	x := New()
	var keys []string
	for range n {
		var tags model.Tags
		for _, k := range []string{"a", "b", "c d"} {
			if v := rng.IntN(12); v > 3 {
				tags = append(tags, model.Tag{Key: k, Value: fmt.Sprint("v", v)})
			}
		}
		key := string(model.AppendSeriesKey(nil, fmt.Sprint("m", rng.IntN(3)), tags))
		if id := add(t, x, key); int(id) == len(keys) {
			keys = append(keys, key)
		} else if keys[id] != key {
			t.Fatalf("Add(%q) gives the id of %q", key, keys[id])
		}
	}
	return x, keys
}

func randomPredicate(rng *rand.Rand, depth int) *model.Predicate {
	if depth > 0 && rng.IntN(2) == 0 {
		return &model.Predicate{
			Op:   []model.Op{model.And, model.Or}[rng.IntN(2)],
			Left: randomPredicate(rng, depth-1), Right: randomPredicate(rng, depth-1),
		}
	}
	key := []string{"a", "b", "c d", "unknown", model.MeasurementKey}[rng.IntN(5)]
	value := []string{"", "v4", "v7", "v99", "m1"}[rng.IntN(5)]
	switch rng.IntN(6) {
	case 5:
		other := []string{"a", "b", "c d", "unknown"}[rng.IntN(4)]
		return &model.Predicate{Op: []model.Op{model.SameTag, model.OtherTag}[rng.IntN(2)], Key: key, Value: other}
	case 0:
		return &model.Predicate{Op: model.NotEqual, Key: key, Value: value}
	case 1:
		return model.MatchRegexp(key, regexp.MustCompile([]string{"^v[4-7]$", "", "m[12]", "^$"}[rng.IntN(4)]), rng.IntN(2) == 0)
	case 2:
		return &model.Predicate{Op: []model.Op{model.Everything, model.Nothing}[rng.IntN(2)]}
	}
	return &model.Predicate{Op: model.Equal, Key: key, Value: value}
}

func tagKeys(t testing.TB, x *Index, name string) []string {
	t.Helper()
	v := x.View()
	defer v.Close()
	keys, err := v.TagKeys(name, all)
	if err != nil {
		t.Fatalf("TagKeys: %v", err)
	}
	return keys
}

func measurements(t testing.TB, x *Index, below uint32) []string {
	t.Helper()
	v := x.View()
	defer v.Close()
	names, err := v.Measurements(below)
	if err != nil {
		t.Fatalf("Measurements: %v", err)
	}
	return names
}

// keep writes the series from first to before end into a file and lets x read it
// from there.
func keep(t testing.TB, x *Index, fs vfs.FS, first, end uint32) {
	t.Helper()
	name := fmt.Sprintf("%d-%d.idx", first, end)
	if _, err := x.Write(fs, name, first, end); err != nil {
		t.Fatalf("Write: %v", err)
	}
	f, err := OpenFile(fs, name, first, end, hashKey)
	if err != nil {
		t.Fatalf("OpenFile: %v", err)
	}
	if err := x.Install(f); err != nil {
		t.Fatalf("Install: %v", err)
	}
}

func hashKey(key []byte) model.SeriesHash { return model.HashSeriesKey(key, 1) }

// scatter puts the series of x into files, in random steps, some merged.
func scatter(t testing.TB, rng *rand.Rand, x *Index, fs vfs.FS) {
	t.Helper()
	var ends []uint32 // of files
	for step := rng.IntN(6); step > 0; step-- {
		if n := len(ends); n > 1 && rng.IntN(3) == 0 {
			from := rng.IntN(n - 1)
			to := from + 1 + rng.IntN(n-1-from)
			first := uint32(0)
			if from > 0 {
				first = ends[from-1]
			}
			keep(t, x, fs, first, ends[to])
			ends = slices.Delete(ends, from, to)
			continue
		}
		first, n := x.Kept(), x.Len()
		if first == n {
			return
		}
		end := first + 1 + rng.Uint32N(n-first)
		keep(t, x, fs, first, end)
		ends = append(ends, end)
	}
}

// reopen gives an Index of the files of x, with what is in none added.
func reopen(t testing.TB, x *Index, fs vfs.FS, keys []string) *Index {
	t.Helper()
	y := New()
	for _, f := range x.mu.files {
		g, err := OpenFile(fs, f.name, f.first, f.end, hashKey)
		if err != nil {
			t.Fatalf("OpenFile: %v", err)
		}
		if err := y.Append(g); err != nil {
			t.Fatalf("Append: %v", err)
		}
	}
	for _, key := range keys[y.Len():] {
		add(t, y, key)
	}
	return y
}

// check compares x with the keys of its series.
func check(t testing.TB, rng *rand.Rand, x *Index, keys []string, dead *roaring.Bitmap) {
	t.Helper()
	v := x.View()
	defer v.Close()
	below := rng.Uint32N(uint32(len(keys) + 1))
	for range 8 {
		where := randomPredicate(rng, 3)
		var match, selected []uint32
		for id, key := range keys {
			name, tags, _ := model.ParseSeriesKey([]byte(key))
			if !where.Holds(name, tags) {
				continue
			}
			match = append(match, uint32(id))
			if name == "m1" && uint32(id) < below && !dead.Contains(uint32(id)) {
				selected = append(selected, uint32(id))
			}
		}
		if got, err := x.Match(where); err != nil || !slices.Equal(got.ToArray(), match) {
			t.Fatalf("Match(%+v) = %v, %v, want %v", where, got.ToArray(), err, match)
		}
		if got, err := v.Select("m1", where, below); err != nil || !slices.Equal(got.ToArray(), selected) {
			t.Fatalf("Select(%+v) = %v, %v, want %v", where, got.ToArray(), err, selected)
		}
	}
	var series []model.Series
	names, tagKeys := map[string]bool{}, map[string]bool{}
	for id, key := range keys {
		h := hashKey([]byte(key))
		series = append(series, model.Series{Hash: h})
		name, tags, _ := model.ParseSeriesKey([]byte(key))
		if got, ok, err := x.Find(h); err != nil || !ok || int(got) != id {
			t.Fatalf("Find(%q) = %d, %v, %v; want %d", key, got, ok, err, id)
		}
		if got := string(v.Key(uint32(id))); got != key {
			t.Fatalf("Key(%d) = %q, want %q", id, got, key)
		}
		if got, err := x.Key(uint32(id)); err != nil || string(got) != key {
			t.Fatalf("Key(%d) = %q, %v, want %q", id, got, err, key)
		}
		if got := v.Tags(uint32(id)); !slices.Equal(got, tags) || v.Measurement(uint32(id)) != name {
			t.Fatalf("Tags(%d) = %v of %q, want %v of %q", id, got, v.Measurement(uint32(id)), tags, name)
		}
		if uint32(id) < below && !dead.Contains(uint32(id)) {
			names[name] = true
			for _, tag := range tags {
				tagKeys[tag.Key] = tagKeys[tag.Key] || name == "m1"
			}
		}
	}
	series = append(series, model.Series{Hash: hashKey([]byte("none"))})
	ids, unknown, err := x.Lookup(nil, series)
	if err != nil || !unknown || ids[len(keys)] != Unknown {
		t.Fatalf("Lookup: %v, %v", unknown, err)
	}
	for id := range keys {
		if ids[id] != uint32(id) {
			t.Fatalf("Lookup gives %d for series %d", ids[id], id)
		}
	}
	if got, err := v.Measurements(below); err != nil || !slices.Equal(got, sorted(names)) {
		t.Fatalf("Measurements: %v, %v, want %v", got, err, sorted(names))
	}
	distinct := map[string]bool{}
	for id, key := range keys {
		if name, tags, _ := model.ParseSeriesKey([]byte(key)); name == "m1" && tags.Get("b") != "" && !dead.Contains(uint32(id)) {
			distinct[tags.Get("b")] = true
		}
	}
	values, err := v.Values("m1", "b")
	most, merr := v.MostValues()
	if got := slices.Sorted(maps.Keys(values)); !slices.Equal(got, sorted(distinct)) || most < len(got) || err != nil || merr != nil {
		t.Fatalf("Values: %v, at most %d, %v, %v, want %v", got, most, err, merr, sorted(distinct))
	}
	if got, err := v.TagValues(t.Context(), "m1", "b", all); !slices.Equal(got, sorted(distinct)) || err != nil {
		t.Fatalf("TagValues: %v, %v, want %v", got, err, sorted(distinct))
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := v.TagValues(ended, "m1", "b", all); !errors.Is(err, context.Canceled) {
		t.Fatalf("TagValues after the query has ended: %v", err)
	}
	some := []uint32{0, uint32(len(keys) / 2), uint32(len(keys) - 1)}
	hashes, err := v.Hashes(some)
	for i, id := range some {
		if err != nil || hashes[i] != hashKey([]byte(keys[id])) {
			t.Fatalf("Hashes: %v, %v: not that of %q", hashes, err, keys[id])
		}
	}
	want := slices.DeleteFunc(sorted(tagKeys), func(k string) bool { return !tagKeys[k] })
	if got, err := v.TagKeys("m1", below); err != nil || !slices.Equal(got, want) {
		t.Fatalf("TagKeys: %v, %v, want %v", got, err, want)
	}
}

func TestSelectAgreesWithPredicateOnEverySeries(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		fs := vfs.NewMem()
		x, keys := fill(t, rng, 300)
		scatter(t, rng, x, fs)
		dead := roaring.New()
		for range 30 {
			dead.Add(rng.Uint32N(uint32(len(keys) + 5)))
		}
		x.Bury(dead)
		dead.RemoveRange(uint64(len(keys)), 1<<32) // never given out, and so ignored
		check(t, rng, x, keys, dead)
		y := reopen(t, x, fs, keys)
		y.Bury(dead)
		check(t, rng, y, keys, dead)
		for i := range 100 {
			key := fmt.Sprintf("m1,a=w%d", i)
			add(t, y, key)
			keys = append(keys, key)
		}
		scatter(t, rng, y, fs)
		check(t, rng, y, keys, dead)
		if err := errors.Join(x.Close(), y.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBuriedSeriesAreNotListed(t *testing.T) {
	x := New()
	a, b := add(t, x, "cpu,host=a,rack=1"), add(t, x, "cpu,host=b")
	add(t, x, "mem,host=a")
	x.Bury(roaring.BitmapOf(a))
	if got := tagKeys(t, x, "cpu"); !slices.Equal(got, []string{"host"}) {
		t.Errorf("tag keys %v, want host", got)
	}
	x.Bury(roaring.BitmapOf(b))
	if got := measurements(t, x, all); !slices.Equal(got, []string{"mem"}) || x.Live(all) != 1 {
		t.Errorf("measurements %v, %d series; want mem, 1", got, x.Live(all))
	}
	x.Revive([]uint32{a})
	if got := tagKeys(t, x, "cpu"); !slices.Equal(got, []string{"host", "rack"}) || x.AnyBuried([]uint32{a}) || !x.AnyBuried([]uint32{b}) {
		t.Errorf("tag keys after a write %v, want host and rack", got)
	}
	if got := measurements(t, x, 1); !slices.Equal(got, []string{"cpu"}) {
		t.Errorf("measurements of the first series: %v, want cpu", got)
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	x, keys := fill(t, rand.New(rand.NewPCG(1, 1)), 100)
	var series []model.Series
	for _, key := range keys {
		series = append(series, model.Series{Hash: model.HashSeriesKey([]byte(key), 1)})
	}
	ids := make([]uint32, 0, len(series))
	if n := testing.AllocsPerRun(100, func() { x.Lookup(ids, series) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if _, unknown, _ := x.Lookup(nil, []model.Series{{}}); !unknown {
		t.Error("a series never added is known")
	}
}
