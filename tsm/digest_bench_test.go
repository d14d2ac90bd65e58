package tsm

import (
	"testing"

	"github.com/varvedb/varve/internal/vfs"
)

func BenchmarkDigest(b *testing.B) {
	h := newHistory(1)
	s, err := Open(vfs.NewMem(), "s", h.config())
	if err != nil {
		b.Fatal(err)
	}
	const rows = 200_000
	if err := s.Write(b.Context(), h.stamp(hostBatch(100, rows))); err != nil {
		b.Fatal(err)
	}
	if err := s.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Digest(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(10*rows), "ns/value")
}
