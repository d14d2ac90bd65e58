package exec

import (
	"fmt"

	"github.com/varvedb/varve/internal/hll"
	"github.com/varvedb/varve/internal/wire"
	"github.com/varvedb/varve/model"
)

const (
	// listFormat is the first byte of a request and of a list. Format 1 ends with
	// the limit, and with the entries.
	listFormat = 2

	// maxListBytes bounds what a decoded piece of a list takes.
	maxListBytes = 256 << 20
	entryBytes   = 56
	setBytes     = 64
	memberBytes  = 16 // of a set's member, also on the wire
)

// AppendListRequest adds q in binary form.
func AppendListRequest(dst []byte, q *ListRequest) []byte {
	dst = append(dst, listFormat, byte(q.Kind))
	dst = model.AppendPredicate(dst, q.Where)
	dst = model.AppendPredicate(dst, q.Keys)
	dst = wire.AppendUvarint(dst, uint64(q.Limit))
	dst = wire.AppendBool(dst, q.LimitEach)
	dst = wire.AppendBool(dst, q.Within != nil)
	if w := q.Within; w != nil {
		dst = wire.AppendVarint(wire.AppendVarint(dst, w.Min), w.Max)
	}
	dst = wire.AppendBool(dst, q.Count != nil)
	if c := q.Count; c != nil {
		dst = wire.AppendBool(dst, c.Sketch)
		dst = wire.AppendStrings(dst, c.GroupBy)
		dst = wire.AppendUvarint(dst, uint64(c.Part))
		dst = wire.AppendUvarint(dst, uint64(c.Parts))
	}
	return dst
}

// DecodeListRequest reads what AppendListRequest wrote. Errors are of kind
// model.ErrCorrupt, or model.ErrNotSupported for what a later version asks.
func DecodeListRequest(b []byte) (*ListRequest, error) {
	r := wire.NewReader(b, maxListBytes)
	format := r.Format(listFormat)
	q := &ListRequest{Kind: ListKind(r.Byte())}
	if r.Err() == nil && (q.Kind < ListMeasurements || q.Kind > ListSeries) {
		r.Failed(fmt.Errorf("list of kind %d: %w", q.Kind, model.ErrNotSupported))
	}
	for _, p := range [...]**model.Predicate{&q.Where, &q.Keys} {
		where, rest, err := model.DecodePredicate(r.Rest())
		r.Skip(rest, err)
		*p = where
	}
	q.Limit = r.Limit()
	if format > 1 {
		q.LimitEach = r.Bool()
		if r.Bool() {
			q.Within = &model.TimeRange{Min: r.Varint(), Max: r.Varint()}
		}
		if r.Bool() {
			q.Count = &Counting{Sketch: r.Bool(), GroupBy: r.Strings(), Part: r.Number(1<<31 - 1), Parts: r.Number(1<<31 - 1)}
		}
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("decode list request: %w", err)
	}
	return q, nil
}

// AppendList adds l in binary form. Of the measurement and the key only what
// differs from the entry before is written: l is sorted.
func AppendList(dst []byte, l *List) []byte {
	dst = wire.AppendUvarint(append(dst, listFormat), uint64(len(l.Entries)))
	var last Entry
	for _, e := range l.Entries {
		dst = appendAfter(dst, last.Measurement, e.Measurement)
		dst = appendAfter(dst, last.Key, e.Key)
		dst = wire.AppendString(dst, e.Value)
		dst = append(dst, byte(e.Type))
		last = e
	}
	dst = wire.AppendUvarint(dst, uint64(len(l.Sets)))
	for _, s := range l.Sets {
		dst = wire.AppendString(dst, s.Measurement)
		dst = wire.AppendStrings(dst, s.Tags)
		dst = wire.AppendUvarint(dst, uint64(len(s.Members)))
		for _, h := range s.Members {
			dst = wire.AppendUint64(wire.AppendUint64(dst, h.Hi), h.Lo)
		}
	}
	dst = wire.AppendBool(dst, l.Sketch != nil)
	if l.Sketch != nil {
		dst = l.Sketch.Append(dst)
	}
	return dst
}

// appendAfter adds s as the number of bytes that it shares with the text
// before, and the others.
func appendAfter(dst []byte, before, s string) []byte {
	n := 0
	for n < len(before) && n < len(s) && before[n] == s[n] {
		n++
	}
	return wire.AppendString(wire.AppendUvarint(dst, uint64(n)), s[n:])
}

// DecodeList reads what AppendList wrote, which shares nothing with b. Errors
// are of kind model.ErrCorrupt, or model.ErrNotSupported for the format of a
// later version.
func DecodeList(b []byte) (*List, error) {
	r := wire.NewReader(b, maxListBytes)
	format := r.Format(listFormat)
	l := &List{}
	if n := r.Count(6); n > 0 && r.Spend(n, entryBytes) {
		l.Entries = make([]Entry, n)
	}
	var last Entry
	for i := range l.Entries {
		e := Entry{
			Measurement: textAfter(r, last.Measurement), Key: textAfter(r, last.Key),
			Value: r.String(), Type: model.FieldType(r.Byte()),
		}
		if e.Type != 0 && !e.Type.Valid() {
			r.Fail("type %d", uint8(e.Type))
		}
		l.Entries[i], last = e, e
	}
	if format > 1 {
		l.Sets = decodeSets(r)
		if r.Bool() {
			l.Sketch = hll.Decode(r)
		}
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("decode list: %w", err)
	}
	return l, nil
}

func decodeSets(r *wire.Reader) []Set {
	n := r.Count(3)
	if n == 0 || !r.Spend(n, setBytes) {
		return nil
	}
	sets := make([]Set, n)
	for i := range sets {
		s := &sets[i]
		s.Measurement, s.Tags = r.String(), r.Strings()
		if n := r.Count(memberBytes); n > 0 && r.Spend(n, memberBytes) {
			s.Members = make([]model.SeriesHash, n)
		}
		for k := range s.Members {
			s.Members[k] = model.SeriesHash{Hi: r.Uint64(), Lo: r.Uint64()}
		}
	}
	return sets
}

// textAfter reads what appendAfter wrote.
func textAfter(r *wire.Reader, before string) string {
	n := r.Number(len(before))
	rest := r.Blob()
	if n == len(before) && len(rest) == 0 {
		return before
	}
	if !r.Spend(n+len(rest), 1) {
		return ""
	}
	return before[:n] + string(rest)
}
