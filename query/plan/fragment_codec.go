package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/varvedb/varve/internal/wire"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

const (
	fragmentFormat = 1 // the first byte

	// maxFragmentMemory bounds what a decoded fragment takes without its
	// regular expressions, which have bounds of their own.
	maxFragmentMemory = 64 << 20
)

// AppendFragment adds f in binary form. A regular expression goes as its text,
// a time zone as its name.
func AppendFragment(dst []byte, f *Fragment) []byte {
	dst = append(dst, fragmentFormat)
	dst = wire.AppendString(dst, f.Database)
	dst = wire.AppendString(dst, f.Policy)
	dst = wire.AppendString(dst, f.Measurement)
	dst = model.AppendPredicate(dst, f.Where)
	dst = wire.AppendUint64(dst, uint64(f.Range.Min))
	dst = wire.AppendUint64(dst, uint64(f.Range.Max))
	dst = wire.AppendUvarint(dst, uint64(len(f.Fields)))
	for _, field := range f.Fields {
		dst = wire.AppendString(append(dst, byte(field.Type)), field.Name)
	}
	dst = wire.AppendUvarint(dst, uint64(len(f.Inputs)))
	for i := range f.Inputs {
		dst = appendSource(dst, &f.Inputs[i])
	}
	dst = wire.AppendBool(dst, f.Filter != nil)
	if f.Filter != nil {
		dst = appendExpr(dst, f.Filter)
	}
	dst = wire.AppendStrings(dst, f.GroupBy)
	dst = wire.AppendUvarint(dst, uint64(f.GroupLimit))
	dst = appendWindow(dst, &f.Window)
	dst = wire.AppendBool(dst, f.Descending)
	dst = wire.AppendUvarint(dst, uint64(len(f.Aggregates)))
	for _, a := range f.Aggregates {
		dst = wire.AppendUvarint(append(dst, byte(a.Function)), uint64(a.Input))
	}
	dst = wire.AppendBool(wire.AppendInts(dst, f.Columns), f.Timed)
	dst = appendBest(dst, f.Best)
	for _, n := range [...]int{f.RowLimit, f.MaxSeries, f.MaxPoints, f.MaxBytes} {
		dst = wire.AppendUvarint(dst, uint64(n))
	}
	return append(dst, byte(f.Report))
}

// DecodeFragment reads what AppendFragment wrote. What it gives can be run: all
// indexes are of something, all types fit. Errors are of kind
// model.ErrCorrupt, or model.ErrNotSupported for what only a later version, or
// a node with other time zones, knows.
func DecodeFragment(b []byte) (*Fragment, error) {
	r := wire.NewReader(b, maxFragmentMemory)
	r.Format(fragmentFormat)
	f := &Fragment{Database: r.String(), Policy: r.String(), Measurement: r.String()}
	where, rest, err := model.DecodePredicate(r.Rest())
	r.Skip(rest, err)
	f.Where = where
	f.Range = model.TimeRange{Min: int64(r.Uint64()), Max: int64(r.Uint64())}
	if n := r.Count(2); n > 0 && r.Spend(n, 24) {
		f.Fields = make([]model.Field, n)
		for i := range f.Fields {
			f.Fields[i] = model.Field{Type: decodeType(r), Name: r.String()}
		}
	}
	if n := r.Count(2); n > 0 && r.Spend(n, 64) {
		f.Inputs = make([]Source, n)
		for i := range f.Inputs {
			decodeSource(r, &f.Inputs[i], f.Fields)
		}
	}
	if r.Bool() {
		d := exprDecoder{Reader: r, inputs: f.Inputs}
		if f.Filter = d.expr(0); r.Err() == nil && f.Filter.Type != model.Boolean {
			r.Fail("filter of type %s", f.Filter.Type)
		}
	}
	f.GroupBy = r.Strings()
	f.GroupLimit = r.Limit()
	decodeWindow(r, &f.Window)
	f.Descending = r.Bool()
	decodeAnswer(r, f)
	for _, n := range [...]*int{&f.RowLimit, &f.MaxSeries, &f.MaxPoints, &f.MaxBytes} {
		*n = r.Limit()
	}
	if f.Report = Report(r.Byte()); f.Report > SumReport {
		r.Fail("report %d", f.Report)
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("decode fragment: %w", err)
	}
	return f, nil
}

// decodeAnswer reads what is computed.
func decodeAnswer(r *wire.Reader, f *Fragment) {
	if n := r.Count(2); n > 0 && r.Spend(n, 16) {
		f.Aggregates = make([]Aggregate, n)
		for i := range f.Aggregates {
			a := Aggregate{Function: function.ID(r.Byte()), Input: r.Index(len(f.Inputs))}
			if r.Err() == nil && !(a.Function.Aggregates() && a.Function.Takes(f.Inputs[a.Input].Type)) {
				r.Fail("%s of %s", a.Function, f.Inputs[a.Input].Type)
			}
			f.Aggregates[i] = a
		}
	}
	if n := r.Count(1); n > 0 && r.Spend(n, 8) {
		f.Columns = make([]int, n)
		for i := range f.Columns {
			f.Columns[i] = r.Index(len(f.Inputs))
		}
	}
	f.Timed = r.Bool()
	decodeBest(r, f)
	// Only one selector has a row whose columns there are.
	if len(f.Columns) > 0 && len(f.Aggregates) > 0 && (len(f.Aggregates) > 1 || !f.Aggregates[0].Function.Selects()) {
		r.Fail("columns beside aggregates")
	}
}

func appendBest(dst []byte, b *Best) []byte {
	if dst = wire.AppendBool(dst, b != nil); b == nil {
		return dst
	}
	dst = wire.AppendUvarint(append(dst, byte(b.Function)), uint64(b.N))
	dst = wire.AppendUvarint(dst, uint64(b.Column))
	if dst = wire.AppendBool(dst, b.Keys != nil); b.Keys != nil {
		dst = wire.AppendInts(dst, b.Keys)
	}
	return dst
}

func decodeBest(r *wire.Reader, f *Fragment) {
	if !r.Bool() {
		return
	}
	b := &Best{Function: function.ID(r.Byte()), N: r.Limit(), Column: r.Index(len(f.Columns))}
	if r.Bool() {
		b.Keys = []int{}
		if n := r.Count(1); n > 0 && r.Spend(n, 8) {
			for range n {
				b.Keys = append(b.Keys, r.Index(b.Column))
			}
		}
	}
	if r.Err() != nil {
		return
	}
	noText := func(key int) bool { return f.Inputs[f.Columns[key]].Type != model.String }
	t := f.Inputs[f.Columns[b.Column]].Type
	if b.Function != function.Top && b.Function != function.Bottom || b.N < 1 || !f.Raw() || !b.Function.Takes(t) || slices.ContainsFunc(b.Keys, noText) {
		r.Fail("the best %d of column %d", b.N, b.Column)
	}
	f.Best = b
}

func decodeType(r *wire.Reader) model.FieldType {
	t := model.FieldType(r.Byte())
	if r.Err() == nil && !t.Valid() {
		r.Fail("type %d", uint8(t))
	}
	return t
}

func appendSource(dst []byte, s *Source) []byte {
	dst = wire.AppendBool(dst, s.IsTag)
	if s.IsTag {
		return wire.AppendString(dst, s.Tag)
	}
	return wire.AppendInts(append(dst, byte(s.Type)), s.Fields)
}

func decodeSource(r *wire.Reader, s *Source, fields []model.Field) {
	if s.IsTag = r.Bool(); s.IsTag {
		s.Type, s.Tag = model.String, r.String()
		return
	}
	s.Type = decodeType(r)
	n := r.Count(1)
	if n == 0 || !r.Spend(n, 8) {
		return
	}
	s.Fields = make([]int, n)
	for i := range s.Fields {
		s.Fields[i] = r.Index(len(fields))
		if r.Err() == nil && !converts(fields[s.Fields[i]].Type, s.Type) {
			r.Fail("input of type %s of a field of type %s", s.Type, fields[s.Fields[i]].Type)
		}
	}
}

func appendWindow(dst []byte, w *Window) []byte {
	dst = wire.AppendUvarint(dst, uint64(w.Every))
	dst = wire.AppendVarint(dst, w.Offset)
	dst = wire.AppendUvarint(dst, uint64(w.Months))
	zone := ""
	if w.Zone != nil {
		zone = w.Zone.String()
	}
	return wire.AppendString(dst, zone)
}

func decodeWindow(r *wire.Reader, w *Window) {
	w.Every, w.Offset, w.Months = r.Size(), r.Varint(), r.Number(maxMonths)
	if w.Months > 0 && w.Every == 0 {
		r.Fail("windows of %d months without a length", w.Months)
	}
	if w.Every > 0 && (w.Offset < -w.Every || w.Offset > w.Every) {
		r.Fail("windows of %d moved by %d", w.Every, w.Offset)
	}
	zone := r.String()
	if zone == "" || r.Err() != nil {
		return
	}
	var err error
	if w.Zone, err = time.LoadLocation(zone); err != nil {
		r.Failed(&model.Error{Kind: model.ErrNotSupported, Text: "unable to find time zone " + zone})
	}
}
