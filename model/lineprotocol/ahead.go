package lineprotocol

import (
	"bytes"

	"github.com/zeebo/xxh3"
)

// aheadLines is how many lines are looked up at a time: about as many reads of
// memory as a core has under way at once, three for each line.
const aheadLines = 32

// minAheadKeys is from how many raw keys on lines are looked up ahead. Fewer
// are in the caches.
const minAheadKeys = 16 << 10

// ahead is the raw keys of the lines to come. In an order that cannot be
// predicted each key, its place in the index and its series are in none of the
// caches; read for one line after the other they make up half of what a line
// costs, and a quarter when the reads for many lines overlap.
type ahead struct {
	keys    [aheadLines]aheadKey
	n, next int
	touched uint32 // so that what is read for its own sake is read
}

// aheadKey is the key of a line that begins left bytes before the end of the
// body.
type aheadKey struct {
	left   int
	length int
	hash   xxh3.Uint128
	raw    uint32
	known  bool
}

// of gives the key of the line that begins left bytes before the end, or nil.
func (a *ahead) of(left int) *aheadKey {
	for ; a.next < a.n; a.next++ {
		if k := &a.keys[a.next]; k.left <= left {
			if k.left == left {
				return k
			}
			return nil
		}
	}
	return nil
}

// lookAhead hashes the keys of the lines that b starts with, all before any is
// looked for, and finds them all before any of their series is. A line break in
// a string leads it to what is no line; nobody asks for that.
func (w *worker) lookAhead(b []byte) {
	a := &w.ahead
	a.n, a.next = 0, 0
	for a.n < aheadLines && len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			end = len(b)
		}
		n := bytes.IndexByte(b[:end], ' ')
		if n <= 0 || n > maxPlainKey || b[n-1] == '\\' {
			break
		}
		h := xxh3.Hash128Seed(b[:n], w.memo.seed)
		a.keys[a.n] = aheadKey{left: len(b), length: n, hash: h}
		a.touched += w.memo.rawIndex.touch(h.Lo)
		a.n++
		b = b[min(end+1, len(b)):]
	}
	for i := range a.keys[:a.n] {
		k := &a.keys[i]
		k.raw, k.known = w.memo.raw(k.hash)
	}
	for i := range a.keys[:a.n] {
		if k := &a.keys[i]; k.known {
			a.touched += w.memo.series.at(w.memo.raws.at(k.raw).series).batch
		}
	}
}
