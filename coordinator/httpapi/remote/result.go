package remote

import (
	"time"

	"github.com/golang/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
)

// MaxResultBytes bounds an answer before it is packed: lengths stand before what
// they count, so it is collected whole.
const MaxResultBytes = 64 << 20

// ErrResultTooLarge says that an answer is more than is collected.
var ErrResultTooLarge = &model.Error{Kind: model.ErrTooLarge, Text: "result is too large for remote read, ask for fewer series or a shorter range"}

// Result collects the answer to a Read, a ReadResponse with one QueryResult.
type Result struct {
	done   []byte // TimeSeries with their headers
	series []byte // the one that is being filled: its labels, then samples
	open   bool
}

// Len gives the bytes that are collected.
func (r *Result) Len() int { return len(r.done) + len(r.series) }

// Add adds a piece of a series, with its values in the first column.
func (r *Result) Add(rows *exec.Rows) error {
	if !r.open {
		r.open = true
		r.series = appendLabels(r.series[:0], rows.Tags)
	}
	for i, t := range rows.Times {
		r.series = appendSample(r.series, milliseconds(t), rows.Values[0].Bits[i])
	}
	if r.Len() > MaxResultBytes {
		return ErrResultTooLarge
	}
	if !rows.More {
		r.open = false
		r.done = protowire.AppendTag(r.done, 1, protowire.BytesType)
		r.done = protowire.AppendBytes(r.done, r.series)
	}
	return nil
}

// Pack gives the answer in a snappy block.
func (r *Result) Pack() []byte {
	head := protowire.AppendTag(nil, 1, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(r.done)))
	return snappy.Encode(nil, append(head, r.done...))
}

// appendLabels adds the tags that a series has, in order.
func appendLabels(dst []byte, tags model.Tags) []byte {
	for _, t := range tags {
		if t.Value == "" {
			continue
		}
		dst = protowire.AppendTag(dst, 1, protowire.BytesType)
		dst = protowire.AppendVarint(dst, uint64(2+protowire.SizeBytes(len(t.Key))+protowire.SizeBytes(len(t.Value))))
		dst = protowire.AppendTag(dst, 1, protowire.BytesType)
		dst = protowire.AppendString(dst, t.Key)
		dst = protowire.AppendTag(dst, 2, protowire.BytesType)
		dst = protowire.AppendString(dst, t.Value)
	}
	return dst
}

func appendSample(dst []byte, millis int64, bits uint64) []byte {
	size := 0
	if bits != 0 {
		size += 1 + protowire.SizeFixed64()
	}
	if millis != 0 {
		size += 1 + protowire.SizeVarint(uint64(millis))
	}
	dst = protowire.AppendTag(dst, 2, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(size))
	if bits != 0 {
		dst = protowire.AppendTag(dst, 1, protowire.Fixed64Type)
		dst = protowire.AppendFixed64(dst, bits)
	}
	if millis != 0 {
		dst = protowire.AppendTag(dst, 2, protowire.VarintType)
		dst = protowire.AppendVarint(dst, uint64(millis))
	}
	return dst
}

// milliseconds gives the millisecond of a time, cut toward zero as InfluxDB does.
func milliseconds(t int64) int64 { return t / int64(time.Millisecond) }
