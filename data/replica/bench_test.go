package replica

import (
	"testing"
	"time"

	"github.com/varvedb/varve/model"
)

// BenchmarkAtRest is what a node with 1,000 shards does five times a second for
// each other owner while nothing is written.
func BenchmarkAtRest(b *testing.B) {
	owners := []Owner{{1, Active}, {2, Active}, {3, Active}}
	var nodes [2]*Node
	for i := range nodes {
		n, err := New(Self{Node: uint64(i) + 1, Start: 1}, DefaultConfig())
		if err != nil {
			b.Fatal(err)
		}
		for id := range uint64(1000) {
			n.SetOwners(id+1, 1, owners)
			n.Opened(id+1, &model.BatchSet{}, nil)
		}
		nodes[i] = n
	}
	now := Time{HLC: 1 << 60, Mono: time.Second}
	exchange := func() {
		now.HLC += 1 << 20
		now.Mono += 100 * time.Millisecond
		nodes[1].Receive(now, nodes[0].Tell(now, 2))
		nodes[0].Receive(now, nodes[1].Tell(now, 1))
		if len(nodes[0].Peers()) != 2 || len(nodes[0].Pulls(now)) != 0 {
			b.Fatal("it is not at rest")
		}
	}
	for range 4 {
		exchange() // all is stated and acknowledged
	}
	b.ReportAllocs()
	for b.Loop() {
		exchange()
	}
}
