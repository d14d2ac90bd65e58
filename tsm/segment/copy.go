package segment

import (
	"fmt"
	"runtime/debug"

	"github.com/varvedb/varve/internal/invariant"
	"github.com/varvedb/varve/internal/mutant"
)

// Alone reports whether granule g holds rows of its series only, so that a
// Writer can copy it.
func (c *Cursor) Alone(g int) bool { return c.places[g].whole }

// Copy adds granule g of from, which is Alone, to a series as Append would add
// its rows, for the fields that from was reset to; but blocks, statistics and
// times are taken over as they are, with the code tables they need, and the
// granule keeps its cut. versions are the numbers of w's table, one for each
// row; nil when the file is not Versioned. An error of kind model.ErrCorrupt is
// the source's.
func (w *Writer) Copy(measurement string, series uint32, from *Cursor, g int, versions []uint32) error {
	w.goTo(measurement, series)
	if w.err != nil {
		return w.err
	}
	if !from.Alone(g) {
		w.fail(fmt.Errorf("copy of a granule that series share: %w", errMisuse))
		return w.err
	}
	if err := w.checkCopy(from, g, versions); err != nil {
		w.fail(err)
		return w.err
	}
	if w.run.rows() > 0 {
		w.cut(true)
	}
	if err := w.copy(from, g, versions); err != nil {
		w.fail(err)
		return w.err
	}
	w.cutAlready = true
	w.flushIfFull()
	return w.err
}

// checkCopy refuses a granule that breaks the order of rows.
func (w *Writer) checkCopy(from *Cursor, g int, versions []uint32) error {
	granule := from.granules[g]
	times := []int64{granule.Range.Min} // the others follow: the file that has them says so
	n := 1
	if granule.Repeats {
		var err error
		if times, err = from.Times(g); err != nil {
			return err
		}
		n = len(times)
	}
	w.checkVersions(versions, granule.Rows)
	if w.err == nil {
		w.checkOrder(times, versions[:min(n, len(versions))])
	}
	w.lastTime = granule.Range.Max
	if len(versions) > 0 {
		w.lastRow = versions[len(versions)-1]
	}
	return w.err
}

// copy takes over a granule.
func (w *Writer) copy(from *Cursor, g int, versions []uint32) (err error) {
	defer from.r.guard(debug.SetPanicOnFault(true), &err)
	p, granule := &from.places[g], from.granules[g]
	if err := from.load(p.segment); err != nil {
		return err
	}
	times, ok := from.view.vectors.get(p.vector)
	if !ok {
		return from.view.corrupt("times")
	}
	b := &w.segment
	number := len(b.granuleRows)
	for i := range from.fields {
		k, err := from.column(p, i)
		if err != nil {
			return err
		}
		if k.view.absent {
			continue
		}
		f := w.field(i, from.fields[i])
		if mutant.Is(mutant.CopiedFieldsSwapped) {
			i = (i + 1) % len(from.fields)
			if _, err := from.column(p, i); err != nil {
				return err
			}
		}
		if err := b.fields[f].copy(number, from, g, i); err != nil {
			return err
		}
	}
	if len(versions) > 0 {
		w.numbers = w.numbers[:0]
		for _, v := range versions {
			w.numbers = append(w.numbers, int64(v))
		}
		b.addVersions(w.numbers)
	}
	b.begin(w.series)
	b.pieces[b.piece(0, b.times.copy(granule, times))].granule = uint32(number)
	b.added(granule.Rows)
	return nil
}

// copy takes over granule g of from, of the cursor's field i, as granule number.
func (f *fieldBuilder) copy(number int, from *Cursor, g, i int) error {
	p, v := &from.places[g], &from.columns[i].view
	blob, ok := v.blobs.get(p.granule)
	if !ok {
		return from.view.corrupt(v.field.Name)
	}
	if len(blob) == 0 {
		return nil
	}
	f.pad(number)
	rows := from.granules[g].Rows
	s, exact := v.stats(p.granule, rows)
	f.note(true, s, exact, rows)
	table := v.table(p.granule)
	copied := f.group.AddBlock(blob, v.tables, table)
	if !copied || invariant.Enabled {
		c, err := from.Column(g, i)
		if err != nil {
			return err
		}
		if !copied {
			f.group.Add(c)
		}
		if invariant.Enabled {
			f.originals = append(f.originals, cloneOf(c))
		}
	}
	return nil
}
