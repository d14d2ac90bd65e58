package tsm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// example gives the bytes at the end of a FORMAT.md: what comes first in the
// indented lines after "checked by a test".
func example(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	must(t, err)
	_, lines, ok := strings.Cut(string(text), "checked by a test")
	if !ok {
		t.Fatalf("%s has no example", name)
	}
	var all []byte
	for _, line := range regexp.MustCompile(`(?m)^    ((?:[0-9a-f]{2}(?: |$)){1,8})`).FindAllStringSubmatch(lines, -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(line[1], " ", ""))
		must(t, err)
		all = append(all, b...)
	}
	return all
}

func exampleEdit() *edit {
	const clock = model.HLC(1_700_000_000_000 << 16)
	version := func(n uint64) model.Version {
		return model.Version{HLC: clock + model.HLC(n-1)<<16, ID: model.BatchID{Origin: 1, Epoch: 9, Seq: n}}
	}
	e := &edit{
		nextID: 7, nextDelete: 1, frontier: clock,
		addFiles: []fileMeta{{
			id: 5, size: 300, rows: 3, times: model.TimeRange{Min: 10, Max: 30},
			low: version(1), high: version(2), versioned: true,
		}},
		addIndexes: []indexFile{{id: 6, first: 0, end: 2, size: 40}},
		addDeletes: []*tombstone{{version: version(3), times: model.TimeRange{Min: 0, Max: 5}}},
		applied:    &model.BatchSet{},
	}
	for n := range uint64(3) {
		e.applied.Add(model.BatchID{Origin: 1, Epoch: 9, Seq: n + 1})
	}
	return e
}

func TestManifestIsAsFormatSays(t *testing.T) {
	fs := vfs.NewMem()
	must(t, vfs.MkdirAll(fs, "s"))
	m, err := createManifest(fs, "s", 1, exampleEdit())
	must(t, err)
	must(t, m.close())
	got, err := vfs.ReadFile(fs, "s/"+manifestName(1), 1<<20)
	must(t, err)
	if want := example(t, "FORMAT.md"); !bytes.Equal(got, want) {
		t.Errorf("manifest is\n%x, FORMAT.md says\n%x", got, want)
	}
}

func TestEditSurvivesEncoding(t *testing.T) {
	e := exampleEdit()
	e.dropFiles, e.dropIndexes, e.dropDeletes = []uint64{1, 300}, []uint64{2}, []uint64{3}
	e.buried = roaring.BitmapOf(1, 2, 70000)
	e.addDeletes[0].where = model.AllOf(model.IsMeasurement("m"), model.MatchRegexp("host", regexp.MustCompile("^a"), true))
	b := e.append(nil)
	back, err := decodeEdit(b)
	must(t, err)
	if again := back.append(nil); !bytes.Equal(again, b) {
		t.Errorf("encoded again:\n%x\nwant\n%x", again, b)
	}
	for n := range b {
		if e, err := decodeEdit(b[:n]); err == nil && len(e.append(nil)) > n+6 || err != nil && !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("first %d bytes: %v", n, err)
		}
	}
}

func TestManifestKnowsTornEndFromDamage(t *testing.T) {
	header := append([]byte(manifestMagic), 1, 0, 0, 0)
	one := appendRecord(header, &edit{nextID: 1})
	two := appendRecord(bytes.Clone(one), &edit{nextID: 2})
	for n := len(one); n < len(two); n++ {
		edits, whole, err := decodeManifest(two[:n])
		if err != nil || len(edits) != 1 || whole != len(one) {
			t.Fatalf("cut off at %d of %d: %d records in %d bytes, %v", n, len(two), len(edits), whole, err)
		}
	}
	for i := range one {
		b := bytes.Clone(two)
		b[i] ^= 0x10
		if _, _, err := decodeManifest(b); err == nil {
			t.Errorf("byte %d of the first record damaged: no error", i)
		}
	}
}

func TestManifestIsReplacedWhenItHasGrown(t *testing.T) {
	fs := vfs.NewMem()
	s, h := newShard(t, fs, nil)
	h.write(t, s, h.points("m", 1, 2))
	must(t, s.Flush(t.Context()))
	s.manifest.size = maxManifestBytes + 1
	h.write(t, s, h.points("n", 1, 2))
	must(t, s.Flush(t.Context()))
	if s.manifest.number != 2 {
		t.Errorf("manifest %d in force, want 2", s.manifest.number)
	}
	must(t, s.Close())
	s, err := Open(fs, "shards/1", h.config())
	must(t, err)
	h.check(t, s)
	must(t, s.Close())
}

func TestDirectoryWithoutManifestIsCorrupt(t *testing.T) {
	fs := vfs.NewMem()
	s, h := newShard(t, fs, nil)
	h.write(t, s, h.points("m", 1))
	must(t, s.Close())
	must(t, fs.Remove("shards/1/"+currentName))
	if _, err := Open(fs, "shards/1", h.config()); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("Open: %v, want ErrCorrupt", err)
	}
}

func FuzzDecodeManifest(f *testing.F) {
	header := append([]byte(manifestMagic), 1, 0, 0, 0)
	f.Add(appendRecord(header, exampleEdit()))
	f.Add(header)
	f.Fuzz(func(t *testing.T, b []byte) {
		// A record with a right checksum around the bytes reaches the decoder.
		if e, err := decodeEdit(b); err == nil {
			if _, err := decodeEdit(e.append(nil)); err != nil {
				t.Errorf("a decoded record does not survive encoding: %v", err)
			}
		}
		if _, whole, err := decodeManifest(b); err == nil && whole > len(b) {
			t.Errorf("%d of %d bytes are whole", whole, len(b))
		}
	})
}
