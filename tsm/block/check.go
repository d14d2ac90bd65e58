package block

import (
	"bytes"

	"github.com/varvedb/varve/internal/invariant"
	"github.com/varvedb/varve/model"
)

// check is a column as it was added, in builds with invariants: a codec that
// loses a bit must be found before anything relies on its blocks.
type check struct{ column model.Column }

func checkOf(c *model.Column) (k check) {
	k.column.Field = c.Field
	for i := range c.Len() {
		k.column.AppendRow(c, i)
	}
	return k
}

// recheck decodes what Finish made.
func (g *Group) recheck() {
	tables, err := ReadTables(g.tables)
	invariant.Check(err == nil, "tables of blocks of %v: %v", g.typ, err)
	var d Decoder
	var present model.Bitmap
	start := uint64(0)
	for i := range g.checks {
		want := &g.checks[i].column
		p := g.blocks[start:g.ends[i]]
		start = g.ends[i]
		if want.Len() == 0 {
			continue // of another Group
		}
		got := model.Column{Field: want.Field}
		err := d.Column(&got, &present, want.Len(), p, tables, int(g.tableOf[i]))
		invariant.Check(err == nil, "block of %d rows of %v: %v", want.Len(), want.Field, err)
		for row := range want.Len() {
			equal := got.Has(row) == want.Has(row)
			if equal && want.Has(row) {
				if want.Type == model.String {
					equal = bytes.Equal(got.Bytes(row), want.Bytes(row))
				} else {
					equal = got.Bits[row] == want.Bits[row]
				}
			}
			invariant.Check(equal, "block of %v: row %d comes back changed", want.Field, row)
		}
	}
}
