package block

import "github.com/varvedb/varve/model"

// Group encodes the blocks of one field of one segment together, so that they
// share code tables. It is ready after Reset, keeps its memory from one Reset
// to the next, and is for one goroutine.
type Group struct {
	enc    Encoder
	typ    model.FieldType
	effort Effort
	blocks []byte
	ends   []uint64
	tables []uint64
}

// Reset empties g for blocks of a type.
func (g *Group) Reset(t model.FieldType, e Effort) {
	g.typ, g.effort = t, e
	g.blocks, g.ends, g.tables = g.blocks[:0], g.ends[:0], g.tables[:0]
}

// Add adds a block of c's rows, of which at least one has a value. c is not
// kept.
func (g *Group) Add(c *model.Column) {
	g.blocks = g.enc.AppendColumn(g.blocks, c)
	g.ends = append(g.ends, uint64(len(g.blocks)))
	g.tables = append(g.tables, 0)
}

// AddBlock adds a block of another Group of the same type as it is, with the
// table that it needs. It reports false, and adds nothing, when the Group has
// MaxTables tables already: then the block is to be decoded and added by Add.
func (g *Group) AddBlock(p []byte, from *Tables, table int) bool {
	g.blocks = append(g.blocks, p...)
	g.ends = append(g.ends, uint64(len(g.blocks)))
	g.tables = append(g.tables, 0)
	return true
}

// Len gives the number of blocks.
func (g *Group) Len() int { return len(g.ends) }

// Size gives about the bytes that Finish would give.
func (g *Group) Size() int { return len(g.blocks) }

// Finish gives the blocks one after the other, where each ends, the number of
// the table that each needs, 0 being none, and the tables for ReadTables. All
// are valid until Reset, which must come next.
func (g *Group) Finish() (blocks []byte, ends, tableOf []uint64, tables []byte) {
	return g.blocks, g.ends, g.tables, nil
}
