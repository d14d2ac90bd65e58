package tsm

import (
	"context"
	"errors"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

func TestCostIsWhatAScanWouldRead(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	h.write(t, s, h.points("m,h=a", upTo(3000)...))
	h.write(t, s, h.points("m,h=b", upTo(10)...))
	cost := func(r model.TimeRange) Cost {
		t.Helper()
		reader, err := s.Reader()
		must(t, err)
		defer reader.Close()
		series, err := reader.Series("m", nil)
		must(t, err)
		c, err := reader.Cost(t.Context(), ScanOptions{Series: series, Fields: reader.Fields("m"), Range: r})
		must(t, err)
		return c
	}
	if got, want := cost(model.AllTime), (Cost{Cached: 3010}); got != want {
		t.Errorf("in memory: %+v, want %+v", got, want)
	}
	if got, want := cost(model.TimeRange{Min: 5, Max: 14}), (Cost{Cached: 15}); got != want {
		t.Errorf("ten times in memory: %+v, want %+v", got, want)
	}
	must(t, s.Flush(t.Context()))
	h.write(t, s, h.points("m,h=b", 20, 30))
	got := cost(model.AllTime)
	if got.Cached != 2 || got.Files != 1 || got.Blocks < 3 || got.Bytes <= 0 {
		t.Errorf("flushed: %+v, want 2 values in memory and some blocks of one file", got)
	}
	if part := cost(model.TimeRange{Min: 0, Max: 1}); part.Blocks >= got.Blocks || part.Bytes >= got.Bytes || part.Cached != 0 {
		t.Errorf("two times: %+v, of %+v in all", part, got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reader, err := s.Reader()
	must(t, err)
	defer reader.Close()
	if _, err := reader.Cost(ctx, ScanOptions{Series: []uint32{0}}); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
}
