package tsm

import (
	"slices"

	"github.com/varvedb/varve/model"
)

// appendRange adds rows lo to before hi of src, which has dst's type, to dst.
// It copies whole runs: the write path appends a batch's column by it.
func appendRange(dst, src *model.Column, lo, hi int) {
	n, rows := dst.Len(), hi-lo
	if rows == 0 {
		return
	}
	if src.Present != nil || dst.Present != nil {
		if dst.Present == nil {
			dst.Present = fullBitmap(n)
		}
		dst.Present = dst.Present.Grow(n + rows)
		if src.Present == nil {
			setRange(dst.Present, n, n+rows)
		} else {
			for i := range rows {
				if src.Present.Get(lo + i) {
					dst.Present.Set(n + i)
				}
			}
		}
	}
	if src.Type != model.String {
		dst.Bits = append(dst.Bits, src.Bits[lo:hi]...)
		return
	}
	start := uint32(0)
	if lo > 0 {
		start = src.Ends[lo-1]
	}
	shift := uint32(len(dst.Text)) - start // wraps: only sums count
	dst.Text = append(dst.Text, src.Text[start:src.Ends[hi-1]]...)
	for _, end := range src.Ends[lo:hi] {
		dst.Ends = append(dst.Ends, end+shift)
	}
}

// appendNulls adds n rows without a value.
func appendNulls(dst *model.Column, n int) {
	if n == 0 {
		return
	}
	rows := dst.Len()
	if dst.Present == nil {
		dst.Present = fullBitmap(rows)
	}
	dst.Present = dst.Present.Grow(rows + n)
	if dst.Type == model.String {
		end := uint32(len(dst.Text))
		for range n {
			dst.Ends = append(dst.Ends, end)
		}
		return
	}
	dst.Bits = append(dst.Bits, make([]uint64, n)...)
}

// appendRows adds the given rows of src, which has dst's type; rows beyond
// src's end have no value.
func appendRows(dst, src *model.Column, rows []uint32) {
	length := src.Len()
	if src.Type == model.String || src.Present != nil || dst.Present != nil {
		for _, r := range rows {
			if int(r) < length {
				dst.AppendRow(src, int(r))
			} else {
				dst.AppendNull()
			}
		}
		return
	}
	n := len(dst.Bits)
	dst.Bits = slices.Grow(dst.Bits, len(rows))[:n+len(rows)]
	out := dst.Bits[n:]
	for i, r := range rows {
		if int(r) >= length {
			dst.Bits = dst.Bits[:n+i]
			appendRowsSlow(dst, src, rows[i:])
			return
		}
		out[i] = src.Bits[r]
	}
}

func appendRowsSlow(dst, src *model.Column, rows []uint32) {
	for _, r := range rows {
		if int(r) < src.Len() {
			dst.AppendRow(src, int(r))
		} else {
			dst.AppendNull()
		}
	}
}

func fullBitmap(n int) model.Bitmap {
	b := model.NewBitmap(n)
	setRange(b, 0, n)
	return b
}

// setRange sets bits lo to before hi.
func setRange(b model.Bitmap, lo, hi int) {
	for lo < hi {
		w, off := lo>>6, lo&63
		n := min(64-off, hi-lo)
		b[w] |= ^uint64(0) >> (64 - n) << off
		lo += n
	}
}
