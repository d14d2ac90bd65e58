package point

import (
	"math"
	"slices"
	"strings"

	"github.com/varvedb/varve/model"
)

// Rows collects points in order of arrival. The zero Rows is not ready for use.
type Rows struct {
	seed   uint64
	batch  *model.Batch
	series map[model.SeriesHash]uint32
	tables map[string]*table // by measurement: the one that rows are added to

	points int
	bytes  int

	tags  model.Tags // scratch
	key   []byte     // scratch
	cells []cell     // scratch
}

// table is where the next row of a measurement goes.
type table struct {
	at      int // in Batch.Tables
	columns map[model.Field]int
	cells   int // values that are present
}

// cell is one value of a row.
type cell struct {
	field model.Field
	bits  uint64
	text  []byte // of a string
}

// What the memory of a row is taken to be: its time and series, a cell with the
// holes beside it, a series beside its key.
const (
	rowBytes    = 16
	cellBytes   = 40
	seriesBytes = 96
)

// NewRows gives an empty Rows. The seed is that of the cluster's series hashes.
func NewRows(seed uint64) *Rows {
	return &Rows{seed: seed, batch: new(model.Batch), series: make(map[model.SeriesHash]uint32), tables: make(map[string]*table)}
}

// Len gives the number of points.
func (r *Rows) Len() int { return r.points }

// Bytes says about how much memory the points take.
func (r *Rows) Bytes() int { return r.bytes }

// Take gives the points and begins anew.
func (r *Rows) Take() *model.Batch {
	b := r.batch
	r.batch, r.points, r.bytes = new(model.Batch), 0, 0
	clear(r.series)
	clear(r.tables)
	return b
}

// Add adds a point, and keeps nothing of it. The error is a Refusal: the point
// cannot be stored.
func (r *Rows) Add(p *Point) error {
	if err := p.check(); err != nil {
		return err
	}
	name := unescape(p.Measurement)
	r.key = model.AppendSeriesKey(r.key[:0], name, r.distinct(p.Tags))
	r.cells = r.cells[:0]
	for _, f := range p.Fields {
		if len(r.key)+fieldKeySeparator+len(f.Name) > maxKeyBytes {
			return keyTooLong
		}
		r.cells = append(r.cells, cell{field: model.Field{Name: f.Name, Type: model.Float}, bits: math.Float64bits(f.Value)})
	}
	hash := model.HashSeriesKey(r.key, r.seed)
	r.add(name, r.seriesOf(hash, r.key), p.Time, r.cells)
	r.points++
	return nil
}

// AddAll adds the rows of a batch, and keeps nothing of it.
func (r *Rows) AddAll(b *model.Batch) {
	for i := range b.Tables {
		t := &b.Tables[i]
		for row := range t.Times {
			r.cells = r.cells[:0]
			for k := range t.Columns {
				c := &t.Columns[k]
				if !c.Has(row) {
					continue
				}
				if c.Type == model.String {
					r.cells = append(r.cells, cell{field: c.Field, text: c.Bytes(row)})
				} else {
					r.cells = append(r.cells, cell{field: c.Field, bits: c.Bits[row]})
				}
			}
			s := &b.Series[t.Series[row]]
			r.add(t.Measurement, r.seriesOf(s.Hash, s.Key), t.Times[row], r.cells)
			r.points++
		}
	}
}

// distinct gives the tags in order of their keys, without those that count as
// absent.
func (r *Rows) distinct(tags model.Tags) model.Tags {
	r.tags = append(r.tags[:0], tags...)
	r.tags.Sort()
	kept := r.tags[:0]
	for i, t := range r.tags {
		if t.Value == "" || i+1 < len(r.tags) && r.tags[i+1].Key == t.Key {
			continue
		}
		kept = append(kept, t)
	}
	return kept
}

// seriesOf gives the number of a series in the batch.
func (r *Rows) seriesOf(hash model.SeriesHash, key []byte) uint32 {
	n, known := r.series[hash]
	if !known {
		n = uint32(len(r.batch.Series))
		r.series[hash] = n
		r.batch.Series = append(r.batch.Series, model.Series{Hash: hash, Key: slices.Clone(key)})
		r.bytes += seriesBytes + len(key)
	}
	return n
}

// add adds a row to the last table of its measurement, so that the later of two
// rows wins, or to a new one when that one would become mostly holes.
func (r *Rows) add(measurement string, series uint32, time int64, cells []cell) {
	to := r.tables[measurement]
	if to == nil || !to.fits(len(r.batch.Tables[to.at].Times), cells) {
		measurement = strings.Clone(measurement)
		to = &table{at: len(r.batch.Tables), columns: make(map[model.Field]int)}
		r.tables[measurement] = to
		r.batch.Tables = append(r.batch.Tables, model.Table{Measurement: measurement})
		r.bytes += seriesBytes
	}
	t := &r.batch.Tables[to.at]
	rows := len(t.Times)
	for _, c := range cells {
		i, known := to.columns[c.field]
		if !known {
			i = len(t.Columns)
			field := model.Field{Name: strings.Clone(c.field.Name), Type: c.field.Type}
			to.columns[field] = i
			t.Columns = append(t.Columns, model.Column{Field: field})
			for range rows {
				t.Columns[i].AppendNull()
			}
		}
		column := &t.Columns[i]
		switch {
		case column.Len() > rows: // the point says it twice: the last counts
			column.Bits[rows] = c.bits
		case c.field.Type == model.String:
			column.AppendText(c.text)
		default:
			column.AppendBits(c.bits)
		}
		r.bytes += cellBytes + len(c.text)
	}
	for i := range t.Columns {
		if t.Columns[i].Len() == rows {
			t.Columns[i].AppendNull()
		}
	}
	to.cells += len(cells)
	t.Series = append(t.Series, series)
	t.Times = append(t.Times, time)
	r.bytes += rowBytes
}

// fits reports whether at most three of four slots are holes, some aside, once
// the cells are the next row.
func (t *table) fits(rows int, cells []cell) bool {
	columns := len(t.columns)
	for _, c := range cells {
		if _, known := t.columns[c.field]; !known {
			columns++
		}
	}
	return columns*(rows+1) <= 4*(t.cells+len(cells))+256
}

// unescape takes the backslashes away that line protocol has in the name of a
// measurement, as InfluxDB does for every protocol.
func unescape(measurement string) string {
	if strings.IndexByte(measurement, '\\') < 0 {
		return measurement
	}
	return strings.NewReplacer(`\,`, ",", `\ `, " ").Replace(measurement)
}
