package tsm

import (
	"context"
	"testing"

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
