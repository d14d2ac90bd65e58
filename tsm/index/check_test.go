package index

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// checkAll runs Check of a whole Index.
func checkAll(t testing.TB, x *Index) {
	t.Helper()
	v := x.View()
	defer v.Close()
	read := int64(0)
	if err := v.Check(func(n int64) error { read += n; return nil }); err != nil {
		t.Fatalf("Check: %v", err)
	}
	if read == 0 {
		t.Error("Check has read nothing")
	}
}

// A disk may lose what was sound when a query used it.
func TestCheckMendsAFileThatIsInUse(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	good, keys := fill(t, rng, 25)
	b := fileBytes(t, good)
	for i := headerBytes; i < len(b)-footerBytes; i++ {
		x, err := openBytes(t, b, good.Len(), hashKey)
		if err != nil {
			t.Fatal(err)
		}
		if i%64 == 0 {
			check(t, rng, x, keys, roaring.New()) // all parts are verified
		} else if _, _, err := x.Find(hashKey([]byte(keys[0]))); err != nil {
			t.Fatal(err)
		}
		x.mu.files[0].data[i] ^= 16
		checkAll(t, x)
		if err := x.Damage(); err != nil {
			t.Fatalf("byte %d: %v", i, err)
		}
		if i%16 == 0 && x.Derived(0) {
			check(t, rng, x, keys, roaring.New())
			keep(t, x, vfs.NewMem(), 0, x.Len())
			check(t, rng, x, keys, roaring.New())
			checkAll(t, x)
			if x.Derived(0) {
				t.Fatalf("byte %d: written anew, the file is damaged still", i)
			}
		}
	}
}

// with gives an Index of one file in which one part is that of another Index,
// whatever the others say, with good checksums.
func with(t *testing.T, x *Index, others ...func(c, of *content)) *Index {
	t.Helper()
	fs := vfs.NewMem()
	c := x.mu.delta.content(0, x.Len())
	wrong := New()
	for id := range x.Len() {
		key, err := x.Key(id)
		if err != nil {
			t.Fatal(err)
		}
		if id == 7 {
			key = []byte("m9,a=other")
		}
		if got := add(t, wrong, string(key)); got != id {
			t.Fatalf("Add gives %d, want %d", got, id)
		}
	}
	for _, take := range others {
		take(c, wrong.mu.delta.content(0, wrong.Len()))
	}
	if _, err := writeFile(fs, "x", c); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(fs, "x", 0, x.Len(), hashKey)
	if err != nil {
		t.Fatal(err)
	}
	y := New()
	if err := y.Append(f); err != nil {
		t.Fatal(err)
	}
	return y
}

func TestCheckMendsAPartThatTheOthersOutvote(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 6))
	good, keys := fill(t, rng, 300)
	hashes := func(c, of *content) { c.hashes = of.hashes }
	keysOf := func(c, of *content) { c.keys = of.keys }
	tags := func(c, of *content) { c.tags = of.tags }
	for _, c := range []struct {
		name   string
		of     []func(c, of *content)
		mended bool
	}{
		{"none", nil, false},
		{"hashes", []func(c, of *content){hashes}, true},
		{"keys", []func(c, of *content){keysOf}, true},
		{"tags", []func(c, of *content){tags}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := with(t, good, c.of...)
			checkAll(t, x)
			if err := x.Damage(); err != nil {
				t.Fatal(err)
			}
			if x.Derived(0) != c.mended {
				t.Errorf("Derived: %v, want %v", x.Derived(0), c.mended)
			}
			check(t, rng, x, keys, roaring.New())
			keep(t, x, vfs.NewMem(), 0, x.Len())
			check(t, rng, x, keys, roaring.New())
			checkAll(t, x)
			if x.Derived(0) || x.Damage() != nil {
				t.Errorf("written anew: derived %v, %v", x.Derived(0), x.Damage())
			}
		})
	}
}

func TestCheckReportsWhatNothingHelps(t *testing.T) {
	good, _ := fill(t, rand.New(rand.NewPCG(3, 7)), 300)
	x := with(t, good)
	b := x.mu.files[0]
	for _, p := range []int{partKeys, partTags} {
		b.data[b.where[p].start] ^= 1
	}
	checkAll(t, x)
	if err := x.Damage(); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("Damage: %v, want ErrCorrupt", err)
	}
	if _, err := x.Key(0); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("Key: %v, want ErrCorrupt", err)
	}
}

// All hashes made otherwise are not taken for damage that keys can mend.
func TestCheckDoesNotReplaceAllHashes(t *testing.T) {
	good, _ := fill(t, rand.New(rand.NewPCG(3, 8)), 100)
	x, err := openBytes(t, fileBytes(t, good), good.Len(), func(key []byte) model.SeriesHash { return model.HashSeriesKey(key, 2) })
	if err != nil {
		t.Fatal(err)
	}
	checkAll(t, x)
	if err := x.Damage(); !errors.Is(err, model.ErrCorrupt) || x.Derived(0) {
		t.Errorf("Damage: %v, derived %v, want ErrCorrupt and false", err, x.Derived(0))
	}
}

func TestLacksFindsSeriesOfOtherMeasurements(t *testing.T) {
	x := New()
	fs := vfs.NewMem()
	add(t, x, "m,a=1")
	add(t, x, "n,a=1")
	keep(t, x, fs, 0, 2)
	add(t, x, "m,a=2")
	x.Bury(roaring.BitmapOf(0))
	v := x.View()
	defer v.Close()
	for _, c := range []struct {
		series []uint32
		want   uint32
		lacks  bool
	}{
		{nil, 0, false},
		{[]uint32{0, 2}, 0, false},
		{[]uint32{0, 1, 2}, 1, true},
		{[]uint32{2, 3}, 3, true},
	} {
		got, lacks, err := v.Lacks("m", slices.Clone(c.series))
		if err != nil || got != c.want || lacks != c.lacks {
			t.Errorf("Lacks(%v) gives %d, %v, %v, want %d, %v", c.series, got, lacks, err, c.want, c.lacks)
		}
	}
}

func TestMatcherKnowsPatternsThatMatchAll(t *testing.T) {
	all := []string{".*", "", "^", "$", "^.*", ".*$", "a*", "(.*)", "(?:a|b?)", "(?s)^.*$", "(a*)+", "^(?:x|)"}
	some := []string{".+", "a", "^$", "(^)$", "^.*$", "^a*$", "a.*", "\\b", "(?:^|b)$", "^b", "$^", "a*^b"}
	for i, pattern := range append(slices.Clone(all), some...) {
		p := &model.Predicate{Op: model.Match, Key: "k", Regexp: regexp.MustCompile(pattern)}
		if m := newMatcher(p); m.any != (i < len(all)) {
			t.Errorf("/%s/ is known to match all: %v", pattern, m.any)
		}
		for _, value := range []string{"a", "b", "ab", "a\nb", "\xff"} {
			if i < len(all) && !p.Regexp.MatchString(value) {
				t.Errorf("/%s/ does not match %q", pattern, value)
			}
		}
	}
}
