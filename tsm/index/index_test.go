package index

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
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
	switch rng.IntN(5) {
	case 0:
		return &model.Predicate{Op: model.NotEqual, Key: key, Value: value}
	case 1:
		return model.MatchRegexp(key, regexp.MustCompile([]string{"^v[4-7]$", "", "m[12]", "^$"}[rng.IntN(4)]), rng.IntN(2) == 0)
	case 2:
		return &model.Predicate{Op: []model.Op{model.Everything, model.Nothing}[rng.IntN(2)]}
	}
	return &model.Predicate{Op: model.Equal, Key: key, Value: value}
}

func TestSelectAgreesWithPredicateOnEverySeries(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		x, keys := fill(t, rng, 300)
		dead := roaring.New()
		for range 30 {
			dead.Add(rng.Uint32N(uint32(len(keys) + 5)))
		}
		x.Bury(dead)
		below := rng.Uint32N(uint32(len(keys) + 1))
		for range 30 {
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
			if got := x.Match(where).ToArray(); !slices.Equal(got, match) {
				t.Fatalf("seed %d: Match(%+v) = %v, want %v", seed, where, got, match)
			}
			if got := x.Select("m1", where, below).ToArray(); !slices.Equal(got, selected) {
				t.Fatalf("seed %d: Select(%+v) = %v, want %v", seed, where, got, selected)
			}
		}
		for id, key := range keys {
			h := model.HashSeriesKey([]byte(key), 1)
			if got, ok := x.Find(h); !ok || int(got) != id || string(x.Key(got)) != key {
				t.Fatalf("seed %d: Find(%q) = %d, %v; want %d", seed, key, got, ok, id)
			}
		}
	}
}

func TestBuriedSeriesAreNotListed(t *testing.T) {
	x := New()
	a, b := add(t, x, "cpu,host=a,rack=1"), add(t, x, "cpu,host=b")
	add(t, x, "mem,host=a")
	x.Bury(roaring.BitmapOf(a))
	if got := x.TagKeys("cpu", all); !slices.Equal(got, []string{"host"}) {
		t.Errorf("tag keys %v, want host", got)
	}
	x.Bury(roaring.BitmapOf(b))
	if got := x.Measurements(all); !slices.Equal(got, []string{"mem"}) || x.Live(all) != 1 {
		t.Errorf("measurements %v, %d series; want mem, 1", got, x.Live(all))
	}
	x.Revive([]uint32{a})
	if got := x.TagKeys("cpu", all); !slices.Equal(got, []string{"host", "rack"}) || x.AnyBuried([]uint32{a}) || !x.AnyBuried([]uint32{b}) {
		t.Errorf("tag keys after a write %v, want host and rack", got)
	}
	if got := x.Measurements(1); !slices.Equal(got, []string{"cpu"}) {
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
	if _, unknown := x.Lookup(nil, []model.Series{{}}); !unknown {
		t.Error("a series never added is known")
	}
}

func TestFilesBringBackTheIndex(t *testing.T) {
	fs := vfs.NewMem()
	x, keys := fill(t, rand.New(rand.NewPCG(2, 2)), 500)
	half, end := uint32(len(keys)/2), x.Len()
	one, err := x.WriteFile(fs, "1.idx", 0, half)
	if err != nil {
		t.Fatal(err)
	}
	two, err := x.WriteFile(fs, "2.idx", half, end)
	if err != nil {
		t.Fatal(err)
	}
	back := New()
	if err := back.ReadFile(fs, "2.idx", two); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("a file with a gap before it: %v, want ErrCorrupt", err)
	}
	if err := back.ReadFile(fs, "1.idx", one); err != nil {
		t.Fatal(err)
	}
	if err := back.ReadFile(fs, "2.idx", two); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.AppendFile(nil, 0, end), x.AppendFile(nil, 0, end)) {
		t.Error("what was read differs from what was written")
	}
}

func TestFileIsAsFormatSays(t *testing.T) {
	x := New()
	for i := range 7 {
		add(t, x, fmt.Sprint("other", i))
	}
	for i, key := range []string{"cpu,host=a", "cpu,host=b"} {
		h := model.SeriesHash{Hi: 0x0102030405060708, Lo: 0x1112131415161718}
		h.Hi += uint64(i) * 0x2020202020202020
		h.Lo += uint64(i) * 0x2020202020202020
		if _, _, err := x.Add(h, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for _, line := range regexp.MustCompile(`(?m)^    ((?:[0-9a-f]{2}(?: |$)){1,8})`).FindAllStringSubmatch(string(text), -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(line[1], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, b...)
	}
	if got := x.AppendFile(nil, 7, 9); !bytes.Equal(got, want) {
		t.Errorf("file is\n%x, FORMAT.md says\n%x", got, want)
	}
}

func TestDamagedFileIsCorrupt(t *testing.T) {
	x, _ := fill(t, rand.New(rand.NewPCG(3, 3)), 20)
	b := x.AppendFile(nil, 0, x.Len())
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 4
		if err := New().LoadFile(bad); err == nil {
			t.Errorf("byte %d damaged: no error", i)
		}
		if err := New().LoadFile(b[:i]); !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("first %d bytes: %v, want ErrCorrupt", i, err)
		}
	}
}

func FuzzLoadFile(f *testing.F) {
	x, _ := fill(f, rand.New(rand.NewPCG(4, 4)), 5)
	f.Add(x.AppendFile(nil, 0, x.Len()))
	f.Fuzz(func(t *testing.T, b []byte) {
		x := New()
		if err := x.LoadFile(b); err == nil {
			if y := New(); y.LoadFile(x.AppendFile(nil, 0, x.Len())) != nil {
				t.Error("what was loaded cannot be loaded again")
			}
		}
	})
}
