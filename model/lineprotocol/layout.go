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

// layout adds the rows of t to tables. It gives the number of columns that it
// added.
func (t *table) layout(name string, tables []model.Table, p *pool) ([]model.Table, int) {
	rows := len(t.times)
	values := 0
	for _, c := range t.columns {
		values += c.len()
	}
	if rows*len(t.columns) > maxSlotsPerValue*values+freeSlots {
		return t.split(name, tables)
	}
	out := model.Table{
		Measurement: name,
		Series:      t.series,
		Times:       t.times,
		Columns:     make([]model.Column, 0, len(t.columns)),
	}
	for _, c := range t.columns {
		out.Columns = append(out.Columns, c.spread(rows, p))
	}
	return append(tables, out), len(out.Columns)
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
// in a row have different columns, the later goes to a table of a later rank.
func (t *table) split(name string, tables []model.Table) ([]model.Table, int) {
	rows := len(t.times)
	starts, cells := t.byRow()

	type place struct {
		series uint32
		time   int64
	}
	type group struct {
		rank  int
		cells []cell // of its first row: the columns
		rows  []uint32
	}
	type last struct {
		rank, group int
	}
	var groups []group
	byShape := make(map[string]int)
	seen := make(map[place]last)
	var shape []byte
	for r := range rows {
		row := cells[starts[r]:starts[r+1]]
		shape = shape[:0]
		for _, c := range row {
			shape = binary.LittleEndian.AppendUint32(shape, c.column)
		}
		rank := 0
		at := place{t.series[r], t.times[r]}
		before, ok := seen[at]
		if ok {
			rank = before.rank
		}
		lookup := func() int {
			key := binary.LittleEndian.AppendUint32(shape, uint32(rank))
			g, ok := byShape[string(key)]
			if !ok {
				g = len(groups)
				byShape[string(key)] = g
				groups = append(groups, group{rank: rank, cells: row})
			}
			return g
		}
		if ok && !sameColumns(row, groups[before.group].cells) {
			rank++
		}
		g := lookup()
		groups[g].rows = append(groups[g].rows, uint32(r))
		seen[at] = last{rank, g}
	}
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(a.rank, b.rank) })

	columns := 0
	for _, g := range groups {
		out := model.Table{
			Measurement: name,
			Series:      make([]uint32, len(g.rows)),
			Times:       make([]int64, len(g.rows)),
			Columns:     make([]model.Column, len(g.cells)),
		}
		for i, c := range g.cells {
			out.Columns[i].Field = t.columns[c.column].field
			if out.Columns[i].Type != model.String {
				out.Columns[i].Bits = make([]uint64, 0, len(g.rows))
			}
		}
		for i, r := range g.rows {
			out.Series[i], out.Times[i] = t.series[r], t.times[r]
			for j, c := range cells[starts[r]:starts[r+1]] {
				from, to := t.columns[c.column], &out.Columns[j]
				if to.Type == model.String {
					to.AppendText(from.value(int(c.value)))
				} else {
					to.AppendBits(from.bits[c.value])
				}
			}
		}
		tables = append(tables, out)
		columns += len(out.Columns)
	}
	return tables, columns
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
