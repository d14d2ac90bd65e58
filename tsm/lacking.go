package tsm

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/varvedb/varve/model"
)

// Lacking gives what of b, a batch that came too late to be taken as it is, the
// shard lacks: its rows without the cells that have a value here, whatever its
// type, and without the rows that a delete of a higher version hides, as far as
// it is remembered. They are a batch that has all keys and is not stamped, nil
// when nothing is left. Of a delete nothing is: with a new version it would take
// what was written since. A series that is new here and lacks its key is
// model.ErrNeedKeys.
func (s *Shard) Lacking(b *model.Batch) (*model.Batch, error) {
	if b.Delete != nil {
		return nil, nil
	}
	r, err := s.Reader()
	if err != nil {
		return nil, err
	}
	l := lacking{r: r, b: b, out: &model.Batch{}, outSeries: make([]int, len(b.Series))}
	err = l.resolve()
	for i := 0; i < len(b.Tables) && err == nil; i++ {
		err = l.table(&b.Tables[i])
	}
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("look for missing rows: %w", err)
	}
	if len(l.out.Tables) == 0 {
		return nil, nil
	}
	return l.out, nil
}

// lacking compares a batch with a Reader.
type lacking struct {
	r         *Reader
	b         *model.Batch
	series    []lackingSeries // as b.Series
	out       *model.Batch
	outSeries []int // per series of b, its place in out.Series plus one
}

// lackingSeries is what is known of a series of the batch.
type lackingSeries struct {
	key   []byte
	id    uint32
	known bool              // it has an id; its rows may be here
	gone  []model.TimeRange // what deletes with a higher version hide
}

func (l *lacking) resolve() error {
	l.series = make([]lackingSeries, len(l.b.Series))
	for i := range l.b.Series {
		x := &l.series[i]
		var err error
		if x.id, x.known, err = l.r.index.Find(l.b.Series[i].Hash); err != nil {
			return err
		}
		x.known = x.known && x.id < l.r.below
		if x.key = l.b.Series[i].Key; x.known {
			x.key = l.r.index.Key(x.id)
		}
		name, tags, ok := model.ParseSeriesKey(x.key)
		if x.key == nil || !ok {
			return model.ErrNeedKeys
		}
		for _, t := range l.r.deletes.all {
			if l.b.Version.Less(t.version) && t.where.Holds(name, tags) {
				x.gone = append(x.gone, t.times)
			}
		}
	}
	return nil
}

// table adds what is lacking of a table to the output.
func (l *lacking) table(t *model.Table) error {
	var rows []uint32 // that no delete hides, by series and time
	for row, at := range t.Series {
		inside := func(r model.TimeRange) bool { return r.Contains(t.Times[row]) }
		if !slices.ContainsFunc(l.series[at].gone, inside) {
			rows = append(rows, uint32(row))
		}
	}
	slices.SortStableFunc(rows, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(t.Series[a], t.Series[b]), cmp.Compare(t.Times[a], t.Times[b]))
	})
	here := make([]model.Bitmap, len(t.Columns)) // per column, the rows with a value here
	for i := range here {
		here[i] = model.NewBitmap(len(t.Times))
	}
	for rest := rows; len(rest) > 0; {
		n := 1
		for n < len(rest) && t.Series[rest[n]] == t.Series[rest[0]] {
			n++
		}
		if x := &l.series[t.Series[rest[0]]]; x.known {
			if err := l.find(t, x.id, rest[:n], here); err != nil {
				return err
			}
		}
		rest = rest[n:]
	}
	slices.Sort(rows) // in order of arrival again
	l.add(t, rows, here)
	return nil
}

// find notes which cells of some rows of a series, by time, have a value here.
func (l *lacking) find(t *model.Table, series uint32, rows []uint32, here []model.Bitmap) error {
	var fields []model.Field
	var of []int // per field, the column of that name
	for _, f := range l.r.Fields(t.Measurement) {
		for i := range t.Columns {
			if t.Columns[i].Name == f.Name {
				fields, of = append(fields, f), append(of, i)
			}
		}
	}
	span := model.TimeRange{Min: t.Times[rows[0]], Max: t.Times[rows[len(rows)-1]]}
	c := l.r.Scan(ScanOptions{Series: []uint32{series}, Fields: fields, Range: span})
	defer c.Close()
	for {
		g, err := c.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		times, columns, err := g.Load()
		if err != nil {
			return err
		}
		for len(rows) > 0 && t.Times[rows[0]] < times[0] {
			rows = rows[1:]
		}
		for ; len(rows) > 0 && t.Times[rows[0]] <= times[len(times)-1]; rows = rows[1:] {
			at, found := slices.BinarySearch(times, t.Times[rows[0]])
			for i := 0; found && i < len(columns); i++ {
				if columns[i].Has(at) {
					here[of[i]].Set(int(rows[0]))
				}
			}
		}
	}
}

// add puts those cells of some rows into the output that are not here.
func (l *lacking) add(t *model.Table, rows []uint32, here []model.Bitmap) {
	lacks := func(row uint32, column int) bool {
		return t.Columns[column].Has(int(row)) && !here[column].Get(int(row))
	}
	out := model.Table{Measurement: t.Measurement}
	var kept []uint32
	for _, row := range rows {
		for i := range t.Columns {
			if lacks(row, i) {
				kept = append(kept, row)
				out.Series = append(out.Series, l.place(t.Series[row]))
				out.Times = append(out.Times, t.Times[row])
				break
			}
		}
	}
	if len(kept) == 0 {
		return
	}
	for i := range t.Columns {
		column := model.Column{Field: t.Columns[i].Field}
		for _, row := range kept {
			if lacks(row, i) {
				column.AppendRow(&t.Columns[i], int(row))
			} else {
				column.AppendNull()
			}
		}
		if column.Count() > 0 {
			out.Columns = append(out.Columns, column)
		}
	}
	l.out.Tables = append(l.out.Tables, out)
}

// place gives the place of a series of b in the output.
func (l *lacking) place(series uint32) uint32 {
	if l.outSeries[series] == 0 {
		l.out.Series = append(l.out.Series, model.Series{Hash: l.b.Series[series].Hash, Key: l.series[series].key})
		l.outSeries[series] = len(l.out.Series)
	}
	return uint32(l.outSeries[series] - 1)
}
