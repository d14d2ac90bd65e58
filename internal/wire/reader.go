package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/varvedb/varve/model"
)

// Reader reads a message from front to back.
type Reader struct {
	rest   []byte
	budget int64 // of memory
	err    error
}

// NewReader reads b, which must not change meanwhile, and lets what is read
// take so many bytes of memory.
func NewReader(b []byte, budget int64) *Reader { return &Reader{rest: b, budget: budget} }

// Err gives the first fault, of kind model.ErrCorrupt unless Failed was given
// another one.
func (r *Reader) Err() error { return r.err }

// Done gives the first fault, which may be that bytes are left.
func (r *Reader) Done() error {
	if r.err == nil && len(r.rest) > 0 {
		r.Fail("%d bytes too many", len(r.rest))
	}
	return r.err
}

// Fail notes a fault unless there is one.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format+": %w", append(args, model.ErrCorrupt)...)
	}
	r.rest = nil
}

// Failed notes err, when it is one, unless there is a fault.
func (r *Reader) Failed(err error) {
	if err == nil {
		return
	}
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

// Rest gives the bytes that were not read yet, for a decoder of another kind
// that begins here; Skip says what it left.
func (r *Reader) Rest() []byte { return r.rest }

// Skip goes on with rest, the end of what Rest gave. A fault of the other
// decoder comes in err.
func (r *Reader) Skip(rest []byte, err error) {
	if r.Failed(err); r.err == nil {
		r.rest = rest
	}
}

// Format reads the first byte of a message. A later format than newest is of
// kind model.ErrNotSupported.
func (r *Reader) Format(newest byte) byte {
	f := r.Byte()
	switch {
	case r.err != nil:
	case f == 0:
		r.Fail("format 0")
	case f > newest:
		r.Failed(fmt.Errorf("format %d: %w", f, model.ErrNotSupported))
	}
	return f
}

// Spend takes count things of size bytes from the budget, before they are
// allocated, and reports whether they may be.
func (r *Reader) Spend(count int, size int64) bool {
	if r.err != nil {
		return false
	}
	if int64(count) > r.budget/size {
		r.Fail("too much memory")
		return false
	}
	r.budget -= int64(count) * size
	return true
}

// Budget gives how much memory may still be taken.
func (r *Reader) Budget() int64 { return r.budget }

// Byte reads a byte.
func (r *Reader) Byte() byte {
	if len(r.rest) == 0 {
		r.Fail("cut short")
		return 0
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

// Bool reads what AppendBool wrote.
func (r *Reader) Bool() bool {
	c := r.Byte()
	if c > 1 {
		r.Fail("boolean of %d", c)
	}
	return c == 1
}

// Uvarint reads a number.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.Fail("bad varint")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Varint reads a number with a sign.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.Fail("bad varint")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Uint64 reads eight bytes, little endian.
func (r *Reader) Uint64() uint64 {
	b := r.Bytes(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// Uint32 reads four bytes, little endian.
func (r *Reader) Uint32() uint32 {
	b := r.Bytes(4)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

// Number reads a number that is at most limit.
func (r *Reader) Number(limit int) int {
	v := r.Uvarint()
	if v > uint64(limit) {
		r.Fail("number %d, above %d", v, limit)
		return 0
	}
	return int(v)
}

// Limit reads a number that bounds others. One that an int of this machine
// cannot hold is the highest that it can.
func (r *Reader) Limit() int { return int(min(r.Uvarint(), math.MaxInt)) }

// Size reads a number of 63 bits.
func (r *Reader) Size() int64 {
	v := r.Uvarint()
	if v > math.MaxInt64 {
		r.Fail("number %d", v)
		return 0
	}
	return int64(v)
}

// Index reads the index of one of n things.
func (r *Reader) Index(n int) int {
	v := r.Uvarint()
	if r.err == nil && v >= uint64(n) {
		r.Fail("index %d of %d", v, n)
		return 0
	}
	return int(v)
}

// Count reads how many things follow, of which each takes at least size bytes
// in the message, size being positive.
func (r *Reader) Count(size int) int { return r.Number(len(r.rest) / size) }

// Bytes gives the next n bytes, which are those of the message; nil when there
// are not so many.
func (r *Reader) Bytes(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.Fail("cut short")
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// Blob reads what AppendBlob wrote; it is part of the message, not a copy.
func (r *Reader) Blob() []byte { return r.Bytes(r.Count(1)) }

// String reads what AppendString wrote.
func (r *Reader) String() string {
	b := r.Blob()
	if !r.Spend(len(b), 1) {
		return ""
	}
	return string(b)
}

// Strings reads what AppendStrings wrote; nil for none.
func (r *Reader) Strings() []string {
	n := r.Count(1)
	if n == 0 || !r.Spend(n, 16) {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = r.String()
	}
	return out
}
