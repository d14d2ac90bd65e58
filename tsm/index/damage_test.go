package index

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// put gives a file system with one file.
func put(t testing.TB, name string, b []byte) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	if err := vfs.WriteFile(fs, name, b); err != nil {
		t.Fatal(err)
	}
	return fs
}

// fileBytes gives the bytes of a file with all series of x.
func fileBytes(t testing.TB, x *Index) []byte {
	t.Helper()
	fs := vfs.NewMem()
	if _, err := x.Write(fs, "x", 0, x.Len()); err != nil {
		t.Fatal(err)
	}
	b, err := vfs.ReadFile(fs, "x", 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// openBytes opens a file of count series.
func openBytes(t testing.TB, b []byte, count uint32, hash func([]byte) model.SeriesHash) (*Index, error) {
	t.Helper()
	f, err := OpenFile(put(t, "x", b), "x", 0, count, hash)
	if err != nil {
		return nil, err
	}
	x := New()
	if err := x.Append(f); err != nil {
		t.Fatal(err)
	}
	return x, nil
}

func TestDamagedByteIsMendedOrReported(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	good, keys := fill(t, rng, 25)
	b := fileBytes(t, good)
	refused, mended := 0, 0
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 4
		x, err := openBytes(t, bad, good.Len(), hashKey)
		if err != nil {
			if !errors.Is(err, model.ErrCorrupt) && !errors.Is(err, model.ErrNotSupported) {
				t.Errorf("byte %d damaged: %v, want ErrCorrupt", i, err)
			}
			refused++
			continue
		}
		check(t, rng, x, keys, roaring.New())
		if x.Derived(0) {
			mended++
			fs := vfs.NewMem()
			keep(t, x, fs, 0, x.Len())
			check(t, rng, x, keys, roaring.New())
			if x.Derived(0) || x.mu.files[0].Verify() != nil {
				t.Fatalf("byte %d damaged: written anew, the file is damaged still", i)
			}
		}
		if err := x.Damage(); err != nil {
			t.Errorf("byte %d damaged: %v", i, err)
		}
	}
	if want := headerBytes + footerBytes; refused != want || mended < len(b)-want-64 {
		t.Errorf("of %d bytes: %d refused, %d mended", len(b), refused, mended)
	}
	for n := range len(b) {
		if _, err := openBytes(t, b[:n], good.Len(), hashKey); !errors.Is(err, model.ErrCorrupt) {
			t.Fatalf("first %d bytes: %v, want ErrCorrupt", n, err)
		}
	}
}

// parts gives where the parts of a file are.
func parts(t testing.TB, b []byte, count uint32) [partCount]extent {
	t.Helper()
	f, err := OpenFile(put(t, "x", b), "x", 0, count, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f.where
}

func TestWhatCannotBeDerivedIsReported(t *testing.T) {
	good, keys := fill(t, rand.New(rand.NewPCG(3, 4)), 100)
	b := fileBytes(t, good)
	for _, c := range []struct {
		name    string
		damaged []int
		hash    func([]byte) model.SeriesHash
	}{
		{"keys and tags", []int{partKeys, partTags}, hashKey},
		{"hashes, and how to make them is not known", []int{partHashes}, nil},
		{"hashes, made otherwise", []int{partHashes}, func(key []byte) model.SeriesHash { return model.HashSeriesKey(key, 2) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := bytes.Clone(b)
			for _, p := range c.damaged {
				bad[parts(t, b, good.Len())[p].start] ^= 1
			}
			x, err := openBytes(t, bad, good.Len(), c.hash)
			if err != nil {
				t.Fatal(err)
			}
			v := x.View()
			_, selectErr := v.Select("m1", nil, all)
			_, _, findErr := x.Find(hashKey([]byte(keys[0])))
			key := v.Key(0)
			if selectErr == nil && findErr == nil && key != nil {
				t.Error("nothing was reported")
			}
			if err := x.Damage(); !errors.Is(err, model.ErrCorrupt) {
				t.Errorf("Damage() = %v, want ErrCorrupt", err)
			}
			// Once it is known, nothing is given any more.
			if _, err := v.Select("m1", nil, all); !errors.Is(err, model.ErrCorrupt) {
				t.Errorf("Select: %v, want ErrCorrupt", err)
			}
			if _, _, err := x.Lookup(nil, []model.Series{{Hash: hashKey([]byte(keys[0]))}}); !errors.Is(err, model.ErrCorrupt) {
				t.Errorf("Lookup: %v, want ErrCorrupt", err)
			}
		})
	}
}

func TestFileWithAGapBeforeItIsCorrupt(t *testing.T) {
	x, _ := fill(t, rand.New(rand.NewPCG(2, 2)), 100)
	fs := vfs.NewMem()
	if _, err := x.Write(fs, "x", 10, 20); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(fs, "x", 10, 20, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := New().Append(f); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("Append: %v, want ErrCorrupt", err)
	}
	if _, err := OpenFile(fs, "x", 10, 21, nil); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("OpenFile with another range: %v, want ErrCorrupt", err)
	}
}

// FuzzFile gives readers parts that were changed, with checksums that fit.
func FuzzFile(f *testing.F) {
	x, _ := fill(f, rand.New(rand.NewPCG(4, 4)), 70)
	b := fileBytes(f, x)
	where := parts(f, b, x.Len())
	f.Add(uint8(partTags), uint32(3), []byte{1, 2, 3}, uint32(0))
	f.Add(uint8(partKeys), uint32(0), []byte{0xff, 0xff, 0xff, 0xff, 0x0f}, uint32(0))
	f.Add(uint8(partSlots), uint32(8), []byte{0}, uint32(0))
	f.Add(uint8(partTags), uint32(0), []byte{}, uint32(100))
	f.Fuzz(func(t *testing.T, part uint8, at uint32, change []byte, cut uint32) {
		e := where[part%partCount]
		p := bytes.Clone(b[e.start:e.end])
		p = p[:len(p)-int(cut)%(len(p)+1)]
		if len(p) > 0 {
			copy(p[int(at)%len(p):], change)
		}
		var parts [partCount][]byte
		for i, e := range where {
			parts[i] = b[e.start:e.end]
		}
		parts[part%partCount] = p
		buf := &bytes.Buffer{}
		w := newFileWriter(buf)
		for i, p := range parts {
			w.begin()
			w.write(p)
			w.finish(i)
		}
		if err := w.close(0, x.Len()); err != nil {
			t.Fatal(err)
		}
		y, err := openBytes(t, buf.Bytes(), x.Len(), nil)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 1))
		v := y.View()
		for range 10 {
			if got, err := v.Select("m1", randomPredicate(rng, 2), all); err == nil && !got.IsEmpty() && got.Maximum() >= x.Len() {
				t.Errorf("Select gives series %d of %d", got.Maximum(), x.Len())
			}
		}
		for id := range x.Len() {
			key := v.Key(id)
			if len(v.Tags(id)) > len(key) {
				t.Errorf("%d tags of key %q", len(v.Tags(id)), key)
			}
			if got, ok, err := y.Find(hashKey(x.mu.delta.key(id))); err == nil && ok && got >= x.Len() {
				t.Errorf("Find gives series %d of %d", got, x.Len())
			}
		}
		_, _ = v.TagKeys("m1", all)
		_, _ = v.Measurements(all)
		_, _ = y.Write(vfs.NewMem(), "y", 0, x.Len())
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A part is verified when it is first used, and may become a hole after that.
func TestAPartThatBecameZerosIsCorrupt(t *testing.T) {
	if _, err := newTagsPart(make([]byte, 4096), 0, 7); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("a part of zeros with seven series gave %v, want ErrCorrupt", err)
	}
}
