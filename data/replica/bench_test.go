package replica

import (
	"testing"
	"time"

	"github.com/varvedb/varve/model"
)

// BenchmarkPullsAtRest is what a message costs a node with many shards of which
// nothing is missing.
func BenchmarkPullsAtRest(b *testing.B) {
	n, err := New(Self{Node: 1, Start: 1}, DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	for id := range uint64(1000) {
		n.SetOwners(id+1, 1, []Owner{{1, Active}, {2, Active}, {3, Active}})
		n.Opened(id+1, &model.BatchSet{}, nil)
	}
	now := Time{Mono: time.Second}
	b.ReportAllocs()
	for b.Loop() {
		if len(n.Pulls(now)) > 0 {
			b.Fatal("a pull of nothing")
		}
	}
}
