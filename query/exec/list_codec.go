package exec

import (
	"fmt"

	"github.com/varvedb/varve/internal/wire"
	"github.com/varvedb/varve/model"
)

const (
	listFormat = 1 // the first byte of a request and of a list

	// maxListBytes bounds what a decoded piece of a list takes.
	maxListBytes = 256 << 20
	entryBytes   = 56
)

// AppendListRequest adds q in binary form.
func AppendListRequest(dst []byte, q *ListRequest) []byte {
	dst = append(dst, listFormat, byte(q.Kind))
	dst = model.AppendPredicate(dst, q.Where)
	dst = model.AppendPredicate(dst, q.Keys)
	return wire.AppendUvarint(dst, uint64(q.Limit))
}

// DecodeListRequest reads what AppendListRequest wrote. Errors are of kind
// model.ErrCorrupt, or model.ErrNotSupported for what a later version asks.
func DecodeListRequest(b []byte) (*ListRequest, error) {
	r := wire.NewReader(b, maxListBytes)
	r.Format(listFormat)
	q := &ListRequest{Kind: ListKind(r.Byte())}
	if r.Err() == nil && (q.Kind < ListMeasurements || q.Kind > ListSeries) {
		r.Failed(fmt.Errorf("list of kind %d: %w", q.Kind, model.ErrNotSupported))
	}
	for _, p := range [...]**model.Predicate{&q.Where, &q.Keys} {
		where, rest, err := model.DecodePredicate(r.Rest())
		r.Skip(rest, err)
		*p = where
	}
	q.Limit = r.Number(1<<63 - 1)
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
	r.Format(listFormat)
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
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("decode list: %w", err)
	}
	return l, nil
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
