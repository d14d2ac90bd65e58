package model

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
	"unsafe"

	"github.com/golang/snappy"
)

// DecodeBatch reads what AppendBatch wrote. The batch shares nothing with p.
// Errors are of kind ErrCorrupt, except ErrNotSupported for a format of a later
// version. Memory stays below MaxBatchBytes and a small multiple of len(p),
// whatever p is.
func DecodeBatch(p []byte) (*Batch, error) { return decodeBatch(p, MaxBatchBytes, false) }

func decodeBatch(p []byte, budget int64, keep bool) (*Batch, error) {
	if len(p) < batchHeaderBytes+batchCheckBytes {
		return nil, fmt.Errorf("decode batch: %d bytes: %w", len(p), ErrCorrupt)
	}
	body, check := p[:len(p)-batchCheckBytes], p[len(p)-batchCheckBytes:]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(check) {
		return nil, fmt.Errorf("decode batch: checksum mismatch: %w", ErrCorrupt)
	}
	if body[0] != batchFormat {
		return nil, fmt.Errorf("decode batch: format %d: %w", body[0], ErrNotSupported)
	}
	d := batchDecoder{rest: body[batchHeaderBytes:], budget: budget}
	b := &Batch{ID: BatchID{
		Origin: binary.LittleEndian.Uint64(body[2:]),
		Epoch:  binary.LittleEndian.Uint64(body[10:]),
		Seq:    binary.LittleEndian.Uint64(body[18:]),
	}}
	b.Version = Version{HLC: HLC(binary.LittleEndian.Uint64(body[26:])), ID: b.ID}
	switch body[1] {
	case batchRows:
		d.series(b)
		tables := d.rest
		d.tables(b)
		if keep && d.err == nil {
			b.keep(tables)
		}
	case batchDelete:
		d.delete(b)
	default:
		d.fail("kind %d", body[1])
	}
	if d.err == nil && len(d.rest) > 0 {
		d.fail("%d bytes too many", len(d.rest))
	}
	if d.err != nil {
		return nil, fmt.Errorf("decode batch: %w", d.err)
	}
	return b, nil
}

// MemoryBytes gives the memory that b takes when decoded, for MaxBatchBytes and
// for budgets: series, keys and the slots of columns, present or not.
func (b *Batch) MemoryBytes() int64 {
	n := int64(len(b.Series)) * seriesBytes
	for i := range b.Series {
		n += int64(len(b.Series[i].Key))
	}
	for i := range b.Tables {
		t := &b.Tables[i]
		n += tableBytes + int64(len(t.Measurement)) + int64(len(t.Times))*rowBytes
		for j := range t.Columns {
			c := &t.Columns[j]
			n += columnBytes + int64(len(c.Name)) + int64(c.Len())*slotBytes + int64(len(c.Text))
		}
	}
	return n
}

// What the parts of a batch take in memory. A slot counts its value and, as
// much as it may need while it is decoded, its presence and gathered value.
const (
	seriesBytes = int64(unsafe.Sizeof(Series{}))
	tableBytes  = int64(unsafe.Sizeof(Table{}))
	columnBytes = int64(unsafe.Sizeof(Column{}))
	rowBytes    = 4 + 8
	slotBytes   = 8 + 1
)

// batchDecoder reads a batch. After the first error it reads zeros.
type batchDecoder struct {
	rest    []byte
	budget  int64 // of memory
	scratch []uint64
	err     error
}

func (d *batchDecoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format+": %w", append(args, ErrCorrupt)...)
	}
	d.rest = nil
}

// spend takes count*size bytes from the budget, before they are allocated.
func (d *batchDecoder) spend(count int, size int64) bool {
	if d.err != nil {
		return false
	}
	if int64(count) > d.budget/size {
		d.fail("too much memory")
		return false
	}
	d.budget -= int64(count) * size
	return true
}

func (d *batchDecoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail("cut short")
		return 0
	}
	c := d.rest[0]
	d.rest = d.rest[1:]
	return c
}

func (d *batchDecoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail("bad varint")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// count reads how many things follow, of which each takes at least size bytes.
// A size of 0 stands for things that may take none.
func (d *batchDecoder) count(size int) int {
	v := d.uvarint()
	limit := uint64(MaxBatchBytes)
	if size > 0 {
		limit = uint64(len(d.rest) / size)
	}
	if v > limit {
		d.fail("count of %d", v)
		return 0
	}
	return int(v)
}

// bytes gives the next n bytes, not copied; nil after an error.
func (d *batchDecoder) bytes(n int) []byte {
	if n > len(d.rest) {
		d.fail("cut short")
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *batchDecoder) name() string {
	n := d.count(1)
	if !d.spend(n, 1) {
		return ""
	}
	return string(d.bytes(n))
}

func (d *batchDecoder) delete(b *Batch) {
	r := d.bytes(16)
	if r == nil {
		return
	}
	del := &Delete{Range: TimeRange{
		Min: int64(binary.LittleEndian.Uint64(r)),
		Max: int64(binary.LittleEndian.Uint64(r[8:])),
	}}
	where, rest, err := DecodePredicate(d.rest)
	if err != nil {
		d.err = err
		return
	}
	del.Where, d.rest = where, rest
	b.Delete = del
}

func (d *batchDecoder) tables(b *Batch) {
	n := d.count(3) // name, rows, columns
	if n == 0 || !d.spend(n, tableBytes) {
		return
	}
	b.Tables = make([]Table, n)
	for i := range b.Tables {
		d.table(&b.Tables[i], len(b.Series))
	}
}

func (d *batchDecoder) series(b *Batch) {
	n := d.count(17) // hash, length of the key
	if !d.spend(n, seriesBytes) {
		return
	}
	hashes := d.bytes(16 * n)
	if n > 0 && d.err == nil {
		b.Series = make([]Series, n)
	}
	lengths := make([]uint64, len(b.Series))
	for i := range b.Series {
		b.Series[i].Hash = SeriesHash{
			Hi: binary.BigEndian.Uint64(hashes[16*i:]),
			Lo: binary.BigEndian.Uint64(hashes[16*i+8:]),
		}
		lengths[i] = d.uvarint()
	}
	text := d.text()
	for i := range b.Series {
		if lengths[i] == 0 {
			continue
		}
		n := lengths[i] - 1
		if n > uint64(len(text)) {
			d.fail("keys longer than their text")
			return
		}
		b.Series[i].Key = text[:n:n]
		text = text[n:]
	}
	if len(text) > 0 {
		d.fail("text of keys longer than the keys")
	}
}

// text reads what appendText wrote into new memory, which is never nil.
func (d *batchDecoder) text() []byte {
	n := d.count(0)
	coding := d.byte()
	if !d.spend(n, 1) {
		return nil
	}
	switch coding {
	case textPlain:
		return append([]byte{}, d.bytes(n)...)
	case textSnappy:
		size := d.bytes(4)
		if size == nil {
			return nil
		}
		stored := d.bytes(int(binary.LittleEndian.Uint32(size)))
		if got, err := snappy.DecodedLen(stored); err != nil || got != n {
			d.fail("length of snappy text")
			return nil
		}
		text, err := snappy.Decode(make([]byte, n), stored)
		if err != nil {
			d.fail("snappy text")
			return nil
		}
		return text
	}
	d.fail("text coding %d", coding)
	return nil
}

func unpackInto[T uint32 | uint64 | int64](d *batchDecoder, out []T) []T {
	if d.err != nil {
		return nil
	}
	rest, ok := unpack(out, d.rest)
	if !ok {
		d.fail("packed numbers")
		return nil
	}
	d.rest = rest
	return out
}

func (d *batchDecoder) table(t *Table, series int) {
	t.Measurement = d.name()
	rows := d.count(0)
	if !d.spend(rows, rowBytes) {
		return
	}
	t.Series = unpackInto(d, make([]uint32, rows))
	for _, s := range t.Series {
		if int(s) >= series {
			d.fail("series %d of %d", s, series)
			return
		}
	}
	t.Times = unpackInto(d, make([]int64, rows))
	t.Columns = d.columns(rows)
}

// columns reads columns of so many rows.
func (d *batchDecoder) columns(rows int) []Column {
	n := d.count(3) // name, type, presence
	if n == 0 || !d.spend(n, columnBytes) {
		return nil
	}
	columns := make([]Column, n)
	for i := range columns {
		d.column(&columns[i], rows)
		if d.err != nil {
			return nil
		}
	}
	return columns
}

func (d *batchDecoder) column(c *Column, rows int) {
	c.Name = d.name()
	c.Type = FieldType(d.byte())
	if !c.Type.Valid() {
		d.fail("type %d of field %q", uint8(c.Type), c.Name)
	}
	if !d.spend(rows, slotBytes) {
		return
	}
	present := d.presence(c, rows)
	if c.Type == String {
		d.strings(c, rows, present)
		return
	}
	c.Bits = make([]uint64, rows)
	if c.Present == nil {
		unpackInto(d, c.Bits)
	} else {
		scatter(c.Bits, unpackInto(d, d.scratchOf(present)), c.Present)
	}
	if c.Type == Boolean {
		for _, v := range c.Bits {
			if v > 1 {
				d.fail("boolean of %d", v)
				return
			}
		}
	}
}

// presence reads which rows have a value and gives their number.
func (d *batchDecoder) presence(c *Column, rows int) int {
	switch kind := d.byte(); kind {
	case allPresent:
		return rows
	case withPresent:
		words := (rows + 63) / 64
		b := d.bytes(8 * words)
		if d.err != nil {
			return 0
		}
		c.Present = make(Bitmap, words)
		for i := range c.Present {
			c.Present[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		if words > 0 && c.Present[words-1]&^lastWordMask(rows) != 0 {
			d.fail("presence beyond the last row")
		}
		return c.Present.Count()
	default:
		d.fail("presence %d", kind)
		return 0
	}
}

func (d *batchDecoder) scratchOf(n int) []uint64 {
	if cap(d.scratch) < n {
		d.scratch = make([]uint64, n)
	}
	return d.scratch[:n]
}

// scatter puts values into the slots of the rows that are present. There are
// as many as present has bits, or none after an error.
func scatter(slots, values []uint64, present Bitmap) {
	if len(values) == 0 {
		return
	}
	k := 0
	for i, w := range present {
		for ; w != 0; w &= w - 1 {
			slots[i<<6+bits.TrailingZeros64(w)] = values[k]
			k++
		}
	}
}

func (d *batchDecoder) strings(c *Column, rows, present int) {
	lengths := unpackInto(d, d.scratchOf(present))
	c.Text = d.text()
	if d.err != nil {
		return
	}
	c.Ends = make([]uint32, rows)
	left := uint64(len(c.Text))
	k := 0
	for row := range c.Ends {
		if c.Present.Get(row) {
			if lengths[k] > left {
				d.fail("strings longer than their text")
				return
			}
			left -= lengths[k]
			k++
		}
		c.Ends[row] = uint32(uint64(len(c.Text)) - left)
	}
	if left > 0 {
		d.fail("text longer than the strings")
	}
}
