package query

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/varvedb/varve/internal/hll"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
)

// many is a storage with millions of series, of which it gives a few members.
type many struct {
	*fakeStorage
	sketch hll.Sketch
	parts  []string
}

func (s *many) List(_ context.Context, _ *Read, _ []Shards, q *exec.ListRequest) (*exec.List, error) {
	if q.Count.Sketch {
		return &exec.List{Sketch: &s.sketch}, nil
	}
	s.parts = append(s.parts, fmt.Sprint(q.Count.Part, "/", q.Count.Parts))
	members := make([]model.SeriesHash, q.Count.Part+1)
	return &exec.List{Sets: []exec.Set{{Measurement: "m", Members: members}}}, nil
}

func TestManySeriesAreCountedPartByPart(t *testing.T) {
	b := newBench(t, DefaultConfig())
	storage := &many{fakeStorage: b.storage}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2_500_000 {
		storage.sketch.Add(r.Uint64())
	}
	var err error
	if b.Executor, err = New(DefaultConfig(), b.catalog, storage, slog.New(slog.DiscardHandler), nil); err != nil {
		t.Fatal(err)
	}
	if got, want := b.run(t, Request{Text: "SHOW SERIES EXACT CARDINALITY", Database: "db"}), "#0 m(count) 6\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(storage.parts), "[0/3 1/3 2/3]"; got != want {
		t.Errorf("asked for the parts %s, want %s", got, want)
	}
}
