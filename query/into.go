package query

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

const (
	// intoRows is how many points SELECT … INTO writes at a time, and intoBytes
	// bounds their values: both are held in memory.
	intoRows  = 10_000
	intoBytes = 8 << 20
	// maxIntoHeld bounds the points of a statement that is not written before all
	// has been read.
	maxIntoHeld = 64 << 20
	// intoRowBytes is what a row takes beside its values: its time and series.
	intoRowBytes = 8 + 4
	// maxKeyBytes bounds a series key with the name of a field and the four
	// bytes that InfluxDB's files put between, as for points of line protocol.
	maxKeyBytes       = 65535
	fieldKeySeparator = 4
)

// selectInto runs SELECT … INTO: the rows become points, and the result is how
// many there were. An answer that may lack rows is not written down.
func (r *statementRun) selectInto(ctx context.Context, stmt *influxql.SelectStatement) error {
	if r.executor.writer == nil {
		return notSupported("SELECT INTO")
	}
	r.read.Partial = false
	target := stmt.Target.Measurement
	to := &into{
		writer:  r.executor.writer,
		guard:   r.req.guard,
		spend:   r.spend,
		to:      Destination{Database: target.Database, Policy: target.RetentionPolicy, Level: r.req.Level},
		name:    target.Name,
		account: memory.FromContext(ctx).Account(), // until the statement has ended
	}
	err := r.run(ctx, stmt, func(_ *plan.Select, b *plan.Bound) error {
		to.kept = b.Kept
		to.hold = to.reads(b) && severalIn(b)
		return nil
	}, func(rows *exec.Rows) error {
		r.watch.moved()
		return to.add(ctx, rows)
	})
	if err == nil {
		err = to.finish(ctx)
	}
	if err != nil {
		return err
	}
	if to.dropped > 0 {
		r.messages = append(r.messages, Message{Level: "warning", Text: fmt.Sprintf("points not written: %d, the first since %s", to.dropped, to.why)})
	}
	r.warnReadOnly(stmt)
	if err := r.begin(Statement{Partial: true}); err != nil {
		return err
	}
	written := model.Column{Field: model.Field{Type: model.Integer}}
	written.AppendBits(uint64(to.written))
	return r.rows(&exec.Rows{
		Name: "result", Columns: []string{"time", "written"}, Times: []int64{0}, Values: []model.Column{written},
	})
}

// into makes points of rows and writes them, a batch at a time. The tags of a
// series are those that the statement groups by, and those that top() and
// bottom() name; tags among the other columns become fields, as in InfluxDB.
type into struct {
	writer Writer
	guard  func() error                                                 // asked before each write; nil: none
	spend  func(ctx context.Context, database string, points int) error // asked then, too; nil: nobody has a quota
	to     Destination
	name   string // of the measurement; "" is that of the rows
	kept   int    // of the last columns: tags

	batch   *model.Batch      // nil: empty
	series  map[string]uint32 // by key: index in batch.Series
	rows    int               // of batch
	bytes   int               // of its keys and values
	written int64             // points so far

	// A statement that reads the measurement it writes to must not read what it has
	// just written. It does not where that is the only one, whose rows before the
	// first write are what it reads; of several the later ones are looked at when
	// the earlier ones have been written, so all is held until the end.
	hold    bool
	held    []heldBatch
	account memory.Account // of held

	// Points that cannot be stored are left out, like in InfluxDB, but not in
	// silence.
	dropped int64
	why     string // the first was dropped
}

// heldBatch is a batch that waits, and what it counts.
type heldBatch struct {
	batch *model.Batch
	bytes int
}

// add takes a piece of a series.
func (t *into) add(ctx context.Context, rows *exec.Rows) error {
	if rows.Times == nil || rows.Columns[0] != "time" {
		return &model.Error{Kind: model.ErrInvalid, Text: "error finding time index in result"}
	}
	name := t.name
	if name == "" {
		name = rows.Name
	}
	r := *rows // its fields
	r.Values = rows.Values[:len(rows.Values)-t.kept]
	kept := rows.Values[len(r.Values):]
	names := rows.Columns[1+len(r.Values):]
	longest := 0
	for _, c := range rows.Columns[1 : 1+len(r.Values)] {
		longest = max(longest, len(c))
	}
	key := seriesKey(name, rows.Tags)
	for i := range r.Times {
		if len(kept) > 0 {
			key = seriesKey(name, append(slices.Clip(rows.Tags), tagsOf(names, kept, i)...))
		}
		switch store, why := storable(&r, i); {
		case why != "":
			t.drop(why)
			continue
		case !store:
			continue
		case len(key)+fieldKeySeparator+longest > maxKeyBytes && exceeds(&r, i, len(key)):
			t.drop(fmt.Sprintf("max key length exceeded: over %d", maxKeyBytes))
			continue
		}
		t.append(name, key, &r, i)
		t.written++
		if t.rows == intoRows || t.bytes >= intoBytes {
			if err := t.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// tagsOf gives the tags in columns of a row.
func tagsOf(names []string, columns []model.Column, row int) (tags model.Tags) {
	for k := range columns {
		if columns[k].Has(row) {
			tags = append(tags, model.Tag{Key: names[k], Value: string(columns[k].Bytes(row))})
		}
	}
	return tags
}

func (t *into) drop(why string) {
	t.dropped++
	if t.why == "" {
		t.why = why
	}
}

// seriesKey gives the canonical key of a series of the result. A tag that a
// series lacks is an empty one in a result.
func seriesKey(name string, tags model.Tags) []byte {
	tags = slices.DeleteFunc(slices.Clone(tags), func(t model.Tag) bool { return t.Value == "" })
	tags.Sort()
	return model.AppendSeriesKey(nil, name, tags)
}

// storable reports whether a row has a value, and why it cannot be stored.
// Columns without a value, and those that are not a number, are no fields.
func storable(r *exec.Rows, row int) (some bool, why string) {
	for k := range r.Values {
		c := &r.Values[k]
		if !c.Has(row) {
			continue
		}
		if c.Type == model.Float {
			switch v := math.Float64frombits(c.Bits[row]); {
			case math.IsNaN(v):
				continue
			case math.IsInf(v, 0):
				return false, "+/-Inf is an unsupported value for field " + r.Columns[k+1]
			}
		}
		some = true
	}
	if t := r.Times[row]; some && (t < model.MinTime || t > model.MaxTime) {
		return false, "a time is out of range"
	}
	return some, ""
}

// exceeds reports whether a field of a row makes its series key too long.
func exceeds(r *exec.Rows, row, key int) bool {
	for k := range r.Values {
		if r.Values[k].Has(row) && key+fieldKeySeparator+len(r.Columns[k+1]) > maxKeyBytes {
			return true
		}
	}
	return false
}

// append adds a row to the batch.
func (t *into) append(name string, key []byte, r *exec.Rows, row int) {
	if t.batch == nil {
		t.batch, t.series = &model.Batch{}, make(map[string]uint32)
	}
	series, ok := t.series[string(key)]
	if !ok {
		series = uint32(len(t.batch.Series))
		t.series[string(key)] = series
		t.batch.Series = append(t.batch.Series, model.Series{Key: key})
		t.bytes += len(key)
	}
	table := t.table(name, r)
	table.Series = append(table.Series, series)
	table.Times = append(table.Times, r.Times[row])
	t.rows++
	for k := range r.Values {
		c, to := &r.Values[k], &table.Columns[k]
		if c.Type == model.Float && c.Has(row) && math.IsNaN(math.Float64frombits(c.Bits[row])) {
			to.AppendNull()
			continue
		}
		to.AppendRow(c, row)
		t.bytes += 8
		if c.Type == model.String {
			t.bytes += len(c.Bytes(row))
		}
	}
}

// table gives the table that rows of this measurement and these columns are
// added to. All rows of a statement have the same columns, and those of a
// measurement come together.
func (t *into) table(name string, r *exec.Rows) *model.Table {
	b := t.batch
	same := func(last *model.Table) bool {
		return last.Measurement == name && slices.EqualFunc(last.Columns, r.Values, func(x, y model.Column) bool { return x.Type == y.Type })
	}
	if n := len(b.Tables); n > 0 && same(&b.Tables[n-1]) {
		return &b.Tables[n-1]
	}
	next := model.Table{Measurement: name, Columns: make([]model.Column, len(r.Values))}
	for k := range r.Values {
		next.Columns[k].Field = model.Field{Name: r.Columns[k+1], Type: r.Values[k].Type}
	}
	b.Tables = append(b.Tables, next)
	return &b.Tables[len(b.Tables)-1]
}

// flush ends the batch and writes it, unless it is to be held.
func (t *into) flush(ctx context.Context) error {
	b, bytes := t.batch, t.bytes+t.rows*intoRowBytes
	if b == nil {
		return nil
	}
	t.batch, t.series, t.rows, t.bytes = nil, nil, 0, 0
	for i := range b.Tables {
		// A column without a value would make a field.
		b.Tables[i].Columns = slices.DeleteFunc(b.Tables[i].Columns, func(c model.Column) bool { return c.Count() == 0 })
	}
	if !t.hold {
		return t.write(ctx, b)
	}
	if t.account.Held()+bytes > maxIntoHeld {
		return &model.Error{Kind: model.ErrTooLarge, Text: fmt.Sprintf("%s is written to and read among other measurements: the points take over %d MiB, select from one at a time", t.name, maxIntoHeld>>20)}
	}
	if err := t.account.Add(bytes); err != nil {
		return err
	}
	t.held = append(t.held, heldBatch{b, bytes})
	return nil
}

// finish writes what is left.
func (t *into) finish(ctx context.Context) error {
	if err := t.flush(ctx); err != nil {
		return err
	}
	for i, h := range t.held {
		t.held[i].batch = nil
		if err := t.write(ctx, h.batch); err != nil {
			return err
		}
		_ = t.account.Add(-h.bytes) // giving back does not fail
	}
	return nil
}

func (t *into) write(ctx context.Context, b *model.Batch) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if t.guard != nil {
		if err := t.guard(); err != nil {
			return err
		}
	}
	if t.spend != nil {
		if err := t.spend(ctx, t.to.Database, b.Rows()); err != nil {
			return err
		}
	}
	return t.writer.Write(ctx, t.to, b)
}

// reads reports whether a statement reads the measurement that is written to.
func (t *into) reads(b *plan.Bound) bool {
	return slices.ContainsFunc(b.Fragments(), func(f *plan.Fragment) bool {
		if f.Inner != nil {
			return t.reads(f.Inner)
		}
		return f.Database == t.to.Database && f.Policy == t.to.Policy && f.Measurement == t.name
	})
}

// severalIn reports whether a statement reads several measurements.
func severalIn(b *plan.Bound) bool {
	all := b.Fragments()
	return slices.ContainsFunc(all, func(f *plan.Fragment) bool {
		return f.Inner != nil && severalIn(f.Inner) || f.Measurement != all[0].Measurement || f.Database != all[0].Database || f.Policy != all[0].Policy
	})
}
