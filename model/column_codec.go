package model

import (
	"encoding/binary"
	"fmt"
)

// AppendColumns adds the rows of an answer: their times and columns of as many
// slots, packed as in a batch. It writes the values that are present and
// nothing of the other slots.
func AppendColumns(dst []byte, times []int64, columns []Column) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(times)))
	dst = appendTimes(dst, times)
	dst, _ = appendColumns(dst, columns, len(times), nil)
	return dst
}

// DecodeColumns reads what AppendColumns wrote and gives the bytes after it.
// What it gives shares nothing with p and takes no more memory than budget,
// beside a small multiple of len(p). Errors are of kind ErrCorrupt.
func DecodeColumns(p []byte, budget int64) (times []int64, columns []Column, rest []byte, err error) {
	d := batchDecoder{rest: p, budget: budget}
	rows := d.count(0)
	if d.spend(rows, rowBytes) {
		times = unpackInto(&d, make([]int64, rows))
		columns = d.columns(rows)
	}
	if d.err != nil {
		return nil, nil, nil, fmt.Errorf("decode columns: %w", d.err)
	}
	return times, columns, d.rest, nil
}
