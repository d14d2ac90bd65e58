package segment

import (
	"bytes"
	"slices"

	"github.com/varvedb/varve/internal/invariant"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

// recheck decodes the blocks of a segment that were just encoded, in builds
// with invariants: a codec that loses a bit must be found before anything
// relies on its files.
func recheck(originals []model.Column, blocks []byte, ends, tableOf []uint64, tables []byte) {
	t, err := block.ReadTables(tables)
	invariant.Check(err == nil, "code tables of %d bytes: %v", len(tables), err)
	invariant.Check(len(ends) == len(originals), "%d blocks of %d", len(ends), len(originals))
	var d block.Decoder
	start := uint64(0)
	for i := range originals {
		want := &originals[i]
		var present model.Bitmap
		got := model.Column{Field: want.Field}
		err := d.Column(&got, &present, want.Len(), blocks[start:ends[i]], t, int(tableOf[i]))
		invariant.Check(err == nil, "block of %d rows of %v: %v", want.Len(), want.Field, err)
		start = ends[i]
		for k := range want.Len() {
			invariant.Check(equal(want, &got, k), "block of %v: row %d comes back changed", want.Field, k)
		}
	}
}

// equal reports whether two columns have the same bits in row i.
func equal(a, b *model.Column, i int) bool {
	switch {
	case !a.Has(i) || !b.Has(i):
		return a.Has(i) == b.Has(i)
	case a.Type == model.String:
		return bytes.Equal(a.Bytes(i), b.Bytes(i))
	}
	return a.Bits[i] == b.Bits[i]
}

// cloneOf copies a column.
func cloneOf(c *model.Column) model.Column {
	return model.Column{
		Field: c.Field, Present: slices.Clone(c.Present),
		Bits: slices.Clone(c.Bits), Ends: slices.Clone(c.Ends), Text: slices.Clone(c.Text),
	}
}
