package model

import "math/bits"

// Bitmap holds one bit per row, 64 rows to a word. A nil Bitmap stands for
// "every row" where a column's presence is meant.
type Bitmap []uint64

// NewBitmap gives a Bitmap of n zero bits.
func NewBitmap(n int) Bitmap { return make(Bitmap, (n+63)/64) }

// Get reports bit i. A nil Bitmap has every bit set.
func (b Bitmap) Get(i int) bool { return b == nil || b[i>>6]&(1<<(i&63)) != 0 }

// Set sets bit i.
func (b Bitmap) Set(i int) { b[i>>6] |= 1 << (i & 63) }

// Clear clears bit i.
func (b Bitmap) Clear(i int) { b[i>>6] &^= 1 << (i & 63) }

// Count gives the number of set bits. It does not know how many rows a nil
// Bitmap stands for, so b must not be nil.
func (b Bitmap) Count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// Grow gives b with room for n bits; bits beyond the old length are zero.
func (b Bitmap) Grow(n int) Bitmap {
	for len(b) < (n+63)/64 {
		b = append(b, 0)
	}
	return b
}
