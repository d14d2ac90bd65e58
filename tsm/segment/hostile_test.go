package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

// smallFile is a file with fields of all types, of 500 and 700 rows and a few
// tiny series, with code tables.
func smallFile(t testing.TB, versioned bool) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	fields := []model.Field{{Name: "b", Type: model.Boolean}, {Name: "f", Type: model.Float}, {Name: "i", Type: model.Integer}, {Name: "s", Type: model.String}}
	d := randomData(r, versioned)
	d.measurements = []testMeasurement{
		{name: "m", series: []testSeries{
			{3, randomRows(r, 20, fields, versioned)},
			{4, randomRows(r, 500, fields, versioned)},
			{5, randomRows(r, 700, fields, versioned)},
			{9, randomRows(r, 7, fields, versioned)},
		}},
		{name: "n", series: []testSeries{{5, randomRows(r, 1, fields, versioned)}}},
	}
	f := &file{}
	w := NewWriter(f, Options{Versioned: versioned, SegmentBytes: 1000, Effort: block.Cold})
	d.writeTo(t, r, w)
	return f.content
}

// believe opens a file and takes every checksum in it for right.
func believe(p []byte) (*Reader, error) {
	if n := len(p); n >= trailerSize {
		length := int64(binary.LittleEndian.Uint32(p[n-trailerSize:]))
		if end := int64(n - trailerSize); length <= end {
			binary.LittleEndian.PutUint32(p[end+4:], crc32.Checksum(p[end-length:end], castagnoli))
		}
	}
	r, err := OpenBytes(p)
	if err != nil {
		return nil, err
	}
	for i := range r.state {
		r.state[i].Store(partGood)
	}
	return r, nil
}

// readAll reads what a file says it has, up to the first error.
func readAll(r *Reader) error {
	var c Cursor
	for _, m := range r.Measurements() {
		fields := r.Fields(m)
		c.Reset(r, m, fields)
		for {
			ok, err := c.Next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			for g := range c.Granules() {
				if err := verifyGranule(&c, g, len(fields)); err != nil {
					return err
				}
			}
		}
		ids, err := r.AppendSeries(nil, m)
		if err != nil {
			return err
		}
		for _, id := range ids[:min(len(ids), 10)] {
			if _, err := c.Seek(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyAll copies what a file says it has, up to the first error.
func copyAll(r *Reader) error {
	w := NewWriter(io.Discard, Options{Versioned: r.Meta().Versioned, SegmentBytes: 1000})
	for _, v := range r.Versions() {
		w.Version(v)
	}
	for _, m := range r.Measurements() {
		if err := copyMeasurement(w, r, m); err != nil {
			return err
		}
	}
	_, err := w.Finish()
	return err
}

// Checksums are no proof against a hand that can compute them: whatever a file
// says, reading it ends in data or ErrCorrupt.
func TestHostileFilesDoNotPanic(t *testing.T) {
	r := seeded.Rand(t)
	refused := 0
	for _, versioned := range []bool{false, true} {
		good := smallFile(t, versioned)
		for range 2000 {
			p := bytes.Clone(good)
			for range 1 + r.IntN(3) {
				p[r.IntN(len(p))] = byte(r.Uint32())
			}
			reader, err := believe(p)
			if err == nil {
				err = readAll(reader)
				mayCopy(t, copyAll(reader))
			}
			if err == nil {
				continue
			}
			refused++
			if !errors.Is(err, model.ErrCorrupt) && !errors.Is(err, model.ErrNotSupported) {
				t.Fatalf("error %v, want %v", err, model.ErrCorrupt)
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

// mayCopy refuses errors that a copy of a hostile file does not end in. What
// reads well may be out of order.
func mayCopy(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, model.ErrCorrupt) && !errors.Is(err, errMisuse) {
		t.Fatalf("copy: error %v, want %v", err, model.ErrCorrupt)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(smallFile(f, false))
	f.Add(smallFile(f, true))
	f.Fuzz(func(t *testing.T, p []byte) {
		reader, err := believe(bytes.Clone(p))
		if err == nil {
			err = readAll(reader)
			mayCopy(t, copyAll(reader))
		}
		if err != nil && !errors.Is(err, model.ErrCorrupt) && !errors.Is(err, model.ErrNotSupported) {
			t.Fatalf("error %v, want %v", err, model.ErrCorrupt)
		}
	})
}
