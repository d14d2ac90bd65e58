package segment

import (
	"fmt"

	"github.com/varvedb/varve/model"
)

// AppendSeries adds rows of several series as Append would those of one after
// the other: the rows before ends[i], and not before those of the series before
// it, are those of series[i]. Each series has a row at least, and should have
// all its rows in one call. What is done once for all makes it much quicker
// where series have few rows.
func (w *Writer) AppendSeries(measurement string, series []uint32, ends []int, rows *Rows) error {
	if w.err != nil {
		return w.err
	}
	w.checkForm(rows)
	w.checkEnds(series, ends, len(rows.Times))
	text := hasText(rows.Columns)
	for i, from := 0, 0; i < len(series) && w.err == nil; {
		w.goTo(measurement, series[i])
		if n := w.share(series[i:], ends[i:], rows, from, text); n > 0 {
			i += n
		} else {
			w.checkOrder(rows.Times[from:ends[i]], versionsOf(rows, from, ends[i]))
			w.add(rows, from, ends[i])
			i++
		}
		from = ends[i-1]
	}
	return w.err
}

func (w *Writer) checkEnds(series []uint32, ends []int, rows int) {
	last := 0
	for _, end := range ends {
		if end <= last {
			w.fail(fmt.Errorf("series that ends at row %d after one at %d: %w", end, last, errMisuse))
			return
		}
		last = end
	}
	if len(ends) != len(series) || last != rows {
		w.fail(fmt.Errorf("%d series with %d of %d rows: %w", len(series), last, rows, errMisuse))
	}
}

func hasText(columns []model.Column) bool {
	for i := range columns {
		if columns[i].Type == model.String {
			return true
		}
	}
	return false
}

func versionsOf(rows *Rows, from, to int) []uint32 {
	if rows.Versions == nil {
		return nil
	}
	return rows.Versions[from:to]
}

// share puts series into the granule that tiny ones share, from the one just
// begun on, until it is full or one is not tiny, and gives their number. Rows
// are copied for all of them at once.
func (w *Writer) share(series []uint32, ends []int, rows *Rows, from int, text bool) (n int) {
	if w.err != nil || w.run.rows() > 0 || w.cutAlready {
		return 0
	}
	start, at := from, w.shared.rows()
	for n < len(series) && at < looseRows {
		end := ends[n]
		if end-from >= tinyRows || text && (textOf(rows, from, end) > granuleText/4 || n > 0 && textOf(rows, start, end) > granuleText) {
			break
		}
		if n > 0 {
			w.inSeries = false // it has nothing that is not in its granule
			w.startSeries(series[n])
		}
		times := rows.Times[from:end]
		if w.checkOrder(times, versionsOf(rows, from, end)); w.err != nil {
			return n
		}
		w.addTiny(times, at)
		at += end - from
		from = end
		n++
	}
	if n == 0 {
		return 0
	}
	w.take(&w.shared, rows, start, from)
	w.cutAlready = true
	w.flushSharedIfFull()
	w.flushIfFull()
	return n
}

// addTiny makes rows of the series in progress, from at on in the shared
// granule, a piece of it.
func (w *Writer) addTiny(times []int64, at int) {
	w.segment.begin(w.series)
	vector := w.segment.vector(times)
	w.sharedPieces = append(w.sharedPieces, w.segment.piece(at, vector))
}

func (w *Writer) flushSharedIfFull() {
	if w.shared.rows() >= looseRows || w.shared.text(0, w.shared.rows()) > granuleText {
		w.flushShared()
	}
}

// flushShared encodes the granule of tiny series.
func (w *Writer) flushShared() {
	n := w.shared.rows()
	if n == 0 {
		return
	}
	alone := len(w.sharedPieces) == 1 && !repeat(w.shared.times)
	g := w.segment.granule(&w.shared, 0, n, alone)
	for _, p := range w.sharedPieces {
		w.segment.pieces[p].granule = g
	}
	w.sharedPieces = w.sharedPieces[:0]
	w.shared.reset()
}
