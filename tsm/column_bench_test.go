package tsm

import (
	"testing"

	"github.com/varvedb/varve/model"
)

// A flush gathers the rows of each series out of slabs in order of arrival.
func BenchmarkAppendRows(b *testing.B) {
	src := model.Column{Field: model.Field{Name: "f", Type: model.Float}, Bits: make([]uint64, maxSlabRows)}
	var rows []uint32
	for r := uint32(0); r < maxSlabRows; r += 64 {
		rows = append(rows, r)
	}
	dst := model.Column{Field: src.Field}
	for b.Loop() {
		dst.Reset()
		appendRows(&dst, &src, rows)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rows)), "ns/value")
}
