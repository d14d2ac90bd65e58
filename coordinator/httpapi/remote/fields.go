package remote

import (
	"errors"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

var (
	errMessage = errors.New("invalid Protocol Buffers message")
	errUTF8    = errors.New("string field contains invalid UTF-8")
)

// fields reads a message field by field.
type fields struct {
	rest   []byte
	number protowire.Number
	kind   protowire.Type
	value  []byte // of the field, with its length before it where it has one
	err    error
}

// next moves to the next field and reports whether there is one.
func (f *fields) next() bool {
	if len(f.rest) == 0 || f.err != nil {
		return false
	}
	var n int
	if f.number, f.kind, n = protowire.ConsumeTag(f.rest); n < 0 {
		f.err = errMessage
		return false
	}
	f.rest = f.rest[n:]
	if n = protowire.ConsumeFieldValue(f.number, f.kind, f.rest); n < 0 {
		f.err = errMessage
		return false
	}
	f.value, f.rest = f.rest[:n], f.rest[n:]
	return true
}

// is reports whether the field has that number; one of another type is an error.
func (f *fields) is(number protowire.Number, kind protowire.Type) bool {
	if f.number != number {
		return false
	}
	if f.kind != kind {
		f.err = errMessage
	}
	return f.err == nil
}

// message gives the bytes of a message within the message.
func (f *fields) message() []byte {
	b, _ := protowire.ConsumeBytes(f.value)
	return b
}

// text gives a string, which shares memory with the message.
func (f *fields) text() []byte {
	b := f.message()
	if !utf8.Valid(b) {
		f.err = errUTF8
	}
	return b
}

func (f *fields) varint() int64 {
	v, _ := protowire.ConsumeVarint(f.value)
	return int64(v)
}

func (f *fields) fixed64() uint64 {
	v, _ := protowire.ConsumeFixed64(f.value)
	return v
}
