package segment

import (
	"github.com/varvedb/varve/internal/invariant"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

// fieldBuilder is the granules of one field of a segment and what they amount
// to. It may lag behind the segment, whose latest granules then have no values
// of the field.
type fieldBuilder struct {
	typ   model.FieldType
	group block.Group

	// Per granule. A granule without values has no block; it and one whose
	// statistics are not exact have zeros.
	filled       []bool
	exact, nulls []uint64
	stats        []model.Stats

	// After finish, per granule.
	ends, tableOf []uint64
	tables        []byte

	originals []model.Column // of the blocks, in builds with invariants
}

func (f *fieldBuilder) reset(t model.FieldType, e block.Effort) {
	f.typ = t
	f.group.Reset(t, e)
	f.filled, f.exact, f.nulls, f.stats = f.filled[:0], f.exact[:0], f.nulls[:0], f.stats[:0]
	f.originals = f.originals[:0]
}

// pad gives granules before g no values.
func (f *fieldBuilder) pad(g int) {
	for len(f.filled) < g {
		f.note(false, model.Stats{}, false, 0)
	}
}

// note adds a granule's line of the tables.
func (f *fieldBuilder) note(filled bool, s model.Stats, exact bool, rows int) {
	f.filled = append(f.filled, filled)
	if !exact {
		f.exact, f.nulls, f.stats = append(f.exact, 0), append(f.nulls, 0), append(f.stats, model.Stats{})
		return
	}
	f.exact, f.nulls, f.stats = append(f.exact, 1), append(f.nulls, uint64(rows-s.Count)), append(f.stats, s)
}

// add adds granule g. When alone is set its statistics say something.
func (f *fieldBuilder) add(g int, c *model.Column, alone bool) {
	if c.Count() == 0 {
		return
	}
	f.pad(g)
	var s model.Stats
	exact := false
	if alone {
		s, exact = block.Stats(c)
	}
	f.note(true, s, exact, c.Len())
	f.group.Add(c)
	if invariant.Enabled {
		f.originals = append(f.originals, cloneOf(c))
	}
}

// finish encodes the blocks and gives them.
func (f *fieldBuilder) finish() []byte {
	blocks, ends, tableOf, tables := f.group.Finish()
	if invariant.Enabled {
		recheck(f.originals, blocks, ends, tableOf, tables)
	}
	f.tables = tables
	f.ends, f.tableOf = f.ends[:0], f.tableOf[:0]
	n, end := 0, uint64(0)
	for _, filled := range f.filled {
		table := uint64(0)
		if filled {
			end, table = ends[n], tableOf[n]
			n++
		}
		f.ends = append(f.ends, end)
		f.tableOf = append(f.tableOf, table)
	}
	return blocks
}

// append adds the field's part of offsets, statistics and code tables.
func (f *fieldBuilder) append(dst []byte) []byte {
	dst = block.AppendArray(dst, f.ends)
	dst = block.AppendArray(dst, f.tableOf)
	dst = block.AppendArray(dst, f.nulls)
	if f.typ != model.String {
		dst = block.AppendSummaries(dst, f.typ, f.stats, f.exact)
	}
	dst = block.AppendArray(dst, f.exact) // after AppendSummaries, which may give some up
	return append(dst, f.tables...)
}
