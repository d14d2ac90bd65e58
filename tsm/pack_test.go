package tsm

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// A batch may have lost all its rows on the way here; its version says nothing
// of the rows of the memtable that it came into.
func TestBatchWithoutRowsDoesNotKeepAMemtableFromBeingPacked(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	h.write(t, s, h.stamp(&model.Batch{}))
	h.write(t, s, h.points("m", 1, 2))
	h.write(t, s, h.stamp(&model.Batch{}))
	must(t, s.Pack())
	h.check(t, s)
	must(t, s.Flush(context.Background()))
	h.check(t, s)
}

// What a search or a digest looks at must not be what a writer adds to meanwhile.
func TestMeasurementsComeWhileAReaderLooksAtMemtables(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	h.write(t, s, h.points("m", 1))
	looks := map[string]func(r *Reader) error{
		"digest": func(r *Reader) error {
			r.storedMeasurements()
			return nil
		},
		"search": func(r *Reader) error {
			left, err := r.withoutRows(roaring.BitmapOf(0), maxSeriesAtOnce)
			if err == nil && !left.IsEmpty() {
				err = errors.New("no row was found")
			}
			return err
		},
	}
	for name, look := range looks {
		r, err := s.Reader()
		must(t, err)
		b := h.points(name, 1)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Write(context.Background(), b); err != nil {
				t.Error(err)
			}
		})
		if err := look(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wg.Wait()
		must(t, r.Close())
	}
}
