package model

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	"github.com/varvedb/varve/internal/invariant"
)

// The binary form of a Batch; FORMAT.md describes it.
const (
	batchFormat = 1 // the first byte

	batchRows   = 1 // the second byte
	batchDelete = 2

	batchHeaderBytes = 2 + 4*8 // format, kind, origin, epoch, seq, clock
	batchCheckBytes  = 4       // CRC32C of all before it, at the end

	allPresent  = 0 // how a column says which rows have a value
	withPresent = 1
)

// MaxBatchBytes bounds the memory of a decoded batch, as MemoryBytes counts it.
// A few bytes can stand for many equal values, so the bound cannot be left to
// the length of the message. AppendBatch writes larger ones, DecodeBatch
// refuses them: what stores or sends batches must refuse them first.
const MaxBatchBytes = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendBatch adds b in binary form: checked, versioned and little endian. It
// writes the values that are present and nothing of the other slots. Of
// b.Version only the clock is written, since Version.ID equals ID.
func AppendBatch(dst []byte, b *Batch) []byte {
	start := len(dst)
	kind := byte(batchRows)
	if b.Delete != nil {
		kind = batchDelete
	}
	dst = append(dst, batchFormat, kind)
	dst = binary.LittleEndian.AppendUint64(dst, b.ID.Origin)
	dst = binary.LittleEndian.AppendUint64(dst, b.ID.Epoch)
	dst = binary.LittleEndian.AppendUint64(dst, b.ID.Seq)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(b.Version.HLC))
	if d := b.Delete; d != nil {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(d.Range.Min))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(d.Range.Max))
		dst = AppendPredicate(dst, d.Where)
	} else {
		dst = appendSeries(dst, b.Series)
		if p := b.packedTables(); p != nil {
			dst = append(dst, p...)
		} else {
			dst = appendTables(dst, b.Tables)
		}
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// appendSeries adds all hashes, then the length plus one of each key (0: no
// key), then the text of all keys.
func appendSeries(dst []byte, series []Series) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(series)))
	text := 0
	for i := range series {
		dst = series[i].Hash.Append(dst)
		text += len(series[i].Key)
	}
	for i := range series {
		if key := series[i].Key; key != nil {
			dst = binary.AppendUvarint(dst, uint64(len(key))+1)
		} else {
			dst = append(dst, 0)
		}
	}
	return appendTextOf(dst, text, func(dst []byte) {
		for i := range series {
			dst = dst[copy(dst, series[i].Key):]
		}
	})
}

func appendTables(dst []byte, tables []Table) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(tables)))
	var scratch []uint64
	for i := range tables {
		dst, scratch = appendTable(dst, &tables[i], scratch)
	}
	return dst
}

// appendTable adds one table. scratch is memory to work in, and is given back.
func appendTable(dst []byte, t *Table, scratch []uint64) ([]byte, []uint64) {
	rows := len(t.Times)
	invariant.Check(len(t.Series) == rows, "table %q: %d series for %d rows", t.Measurement, len(t.Series), rows)
	dst = appendName(dst, t.Measurement)
	dst = binary.AppendUvarint(dst, uint64(rows))
	dst = appendPacked(dst, t.Series, 0)
	dst = appendTimes(dst, t.Times)
	return appendColumns(dst, t.Columns, rows, scratch)
}

// appendColumns adds columns of so many rows.
func appendColumns(dst []byte, columns []Column, rows int, scratch []uint64) ([]byte, []uint64) {
	dst = binary.AppendUvarint(dst, uint64(len(columns)))
	for i := range columns {
		c := &columns[i]
		invariant.Check(c.Len() == rows, "column %q: %d slots for %d rows", c.Name, c.Len(), rows)
		dst = appendName(dst, c.Name)
		dst = append(dst, byte(c.Type))
		var present Bitmap
		dst, present = appendPresence(dst, c.Present, rows)
		if c.Type == String {
			dst, scratch = appendStrings(dst, c, present, scratch)
			continue
		}
		values := c.Bits
		if present != nil {
			scratch = gather(scratch[:0], c.Bits, present)
			values = scratch
		}
		dst = appendPacked(dst, values, signFlip(c.Type))
	}
	return dst, scratch
}

func appendName(dst []byte, name string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(name)))
	return append(dst, name...)
}

// appendPresence adds which rows have a value, and gives the bitmap to go by:
// nil when every row has one.
func appendPresence(dst []byte, present Bitmap, rows int) ([]byte, Bitmap) {
	if present == nil {
		return append(dst, allPresent), nil
	}
	words := present[:(rows+63)/64]
	mask := lastWordMask(rows)
	full := true
	for i, w := range words {
		if i == len(words)-1 {
			full = full && w&mask == mask
		} else {
			full = full && w == ^uint64(0)
		}
	}
	if full {
		return append(dst, allPresent), nil
	}
	dst = append(dst, withPresent)
	for i, w := range words {
		if i == len(words)-1 {
			w &= mask
		}
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	return dst, words
}

// lastWordMask has the bits of rows in the last word of a bitmap.
func lastWordMask(rows int) uint64 {
	if rows%64 == 0 {
		return ^uint64(0)
	}
	return 1<<(rows%64) - 1
}

// gather appends the values of the rows that are present.
func gather(dst, values []uint64, present Bitmap) []uint64 {
	for i, w := range present {
		if i == len(present)-1 {
			w &= lastWordMask(len(values))
		}
		for ; w != 0; w &= w - 1 {
			dst = append(dst, values[i<<6+bits.TrailingZeros64(w)])
		}
	}
	return dst
}
