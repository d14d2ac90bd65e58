package httpapi

import (
	"math/bits"
	"sync"
)

const (
	minBufferBytes = 4 << 10
	maxBufferBytes = 32 << 20 // larger ones are rare and not kept
)

// buffers keeps the memory of bodies for later ones, by size, until the garbage
// collector wants it.
type buffers struct {
	classes [14]sync.Pool // of *[]byte with minBufferBytes<<i bytes
}

// class gives the class whose buffers have room for n bytes, and their size;
// class -1 is too large to be kept.
func class(n int64) (at int, size int64) {
	if n > maxBufferBytes {
		return -1, n
	}
	at = bits.Len64(uint64(max(n, 1)-1) / minBufferBytes)
	return at, minBufferBytes << at
}

// take gives a buffer of at least n bytes with anything in it.
func (b *buffers) take(n int64) *[]byte {
	at, size := class(n)
	if at >= 0 {
		if kept, ok := b.classes[at].Get().(*[]byte); ok {
			return kept
		}
	}
	made := make([]byte, size)
	return &made
}

// give takes a buffer back. Nobody may use it any more.
func (b *buffers) give(p *[]byte) {
	if at, size := class(int64(len(*p))); at >= 0 && size == int64(len(*p)) {
		b.classes[at].Put(p)
	}
}
