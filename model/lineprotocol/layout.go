package lineprotocol

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/varvedb/varve/model"
)

// A model.Table has a slot for every row in every column. Up to this many
// slots for a value, and so many more, the rows of a measurement are laid out
// as one table; beyond, which takes a body made for it or one with hundreds of
// fields each on a line of its own, rows with the same fields make a table.
const (
	maxSlotsPerValue = 4
	freeSlots        = 1024
)

// layout adds the rows of t to tables, as at most limit columns. It gives the
// number of columns, and false when there would be more.
func (t *table) layout(name string, tables []model.Table, limit int, p *pool) (out []model.Table, columns int, ok bool) {
	rows := len(t.times)
	values := 0
	for _, c := range t.columns {
		values += c.len()
	}
	if rows*len(t.columns) > maxSlotsPerValue*values+freeSlots {
		return t.split(name, tables, limit)
	}
	one := model.Table{
		Measurement: name,
		Series:      t.series,
		Times:       t.times,
		Columns:     make([]model.Column, 0, len(t.columns)),
	}
	for _, c := range t.columns {
		one.Columns = append(one.Columns, c.spread(rows, p))
	}
	return append(tables, one), len(one.Columns), len(one.Columns) <= limit
}

// spread gives c a slot for every row.
func (c *column) spread(rows int, p *pool) model.Column {
	n := c.len()
	if n == rows {
		return model.Column{Field: c.field, Bits: c.bits, Ends: c.ends, Text: c.text}
	}
	out := model.Column{Field: c.field, Present: model.NewBitmap(rows), Text: c.text}
	if c.field.Type == model.String {
		out.Ends = p.takeRows(rows)[:rows]
		row, end := 0, uint32(0)
		for k := range n {
			r := c.rowOf(k)
			for ; row < r; row++ {
				out.Ends[row] = end
			}
			end = c.ends[k]
			out.Present.Set(r)
		}
		for ; row < rows; row++ {
			out.Ends[row] = end
		}
		return out
	}
	out.Bits = p.takeWords(rows)[:rows]
	clear(out.Bits)
	for k := range n {
		r := c.rowOf(k)
		out.Bits[r] = c.bits[k]
		out.Present.Set(r)
	}
	p.giveWords(c.bits)
	return out
}

// cell says where a value of a row is: column and number.
type cell struct {
	column, value uint32
}

// split lays out the rows of t as a table for each set of columns, without
// holes. Rows with one series and time must stay in order; where two of them
// that follow each other have different columns, the later goes to a table of a
// later rank.
func (t *table) split(name string, tables []model.Table, limit int) (out []model.Table, columns int, ok bool) {
	type place struct {
		series uint32
		time   int64
	}
	type group struct {
		rank uint32
		rows []uint32
	}
	starts, cells := t.byRow()
	cellsOf := func(row uint32) []cell { return cells[starts[row]:starts[row+1]] }
	var groups []group
	byShape := make(map[string]int)
	seen := make(map[place]int) // the group of the last row with that place
	var shape []byte
	for r := range uint32(len(t.times)) {
		row := cellsOf(r)
		at := place{t.series[r], t.times[r]}
		rank := uint32(0)
		if g, ok := seen[at]; ok {
			rank = groups[g].rank
			if !sameColumns(row, cellsOf(groups[g].rows[0])) {
				rank++
			}
		}
		shape = binary.LittleEndian.AppendUint32(shape[:0], rank)
		for _, c := range row {
			shape = binary.LittleEndian.AppendUint32(shape, c.column)
		}
		g, ok := byShape[string(shape)]
		if !ok {
			if columns += len(row); columns > limit {
				return tables, columns, false
			}
			g = len(groups)
			byShape[string(shape)] = g
			groups = append(groups, group{rank: rank})
		}
		groups[g].rows = append(groups[g].rows, r)
		seen[at] = g
	}
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(a.rank, b.rank) })
	for _, g := range groups {
		tables = append(tables, t.pick(name, g.rows, cellsOf))
	}
	return tables, columns, true
}

// pick gives the table of rows that all have the same columns.
func (t *table) pick(name string, rows []uint32, cellsOf func(row uint32) []cell) model.Table {
	first := cellsOf(rows[0])
	out := model.Table{
		Measurement: name,
		Series:      make([]uint32, len(rows)),
		Times:       make([]int64, len(rows)),
		Columns:     make([]model.Column, len(first)),
	}
	for i, c := range first {
		out.Columns[i].Field = t.columns[c.column].field
		if out.Columns[i].Type != model.String {
			out.Columns[i].Bits = make([]uint64, 0, len(rows))
		}
	}
	for i, r := range rows {
		out.Series[i], out.Times[i] = t.series[r], t.times[r]
		for j, c := range cellsOf(r) {
			from, to := t.columns[c.column], &out.Columns[j]
			if to.Type == model.String {
				to.AppendText(from.value(int(c.value)))
			} else {
				to.AppendBits(from.bits[c.value])
			}
		}
	}
	return out
}

// byRow gives the values of each row, in order of columns: those of row r are
// cells[starts[r]:starts[r+1]].
func (t *table) byRow() (starts []int, cells []cell) {
	rows := len(t.times)
	starts = make([]int, rows+1)
	for _, c := range t.columns {
		for k := range c.len() {
			starts[c.rowOf(k)+1]++
		}
	}
	for r := range rows {
		starts[r+1] += starts[r]
	}
	cells = make([]cell, starts[rows])
	next := slices.Clone(starts)
	for i, c := range t.columns {
		for k := range c.len() {
			r := c.rowOf(k)
			cells[next[r]] = cell{uint32(i), uint32(k)}
			next[r]++
		}
	}
	return starts, cells
}

func sameColumns(a, b []cell) bool {
	return slices.EqualFunc(a, b, func(x, y cell) bool { return x.column == y.column })
}
