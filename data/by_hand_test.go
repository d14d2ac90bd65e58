package data

import (
	"testing"
	"time"
)

func TestReplicaIsMeasuredWithoutBeingOpened(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	now := time.Now()
	ref := w.shard(t, now)
	if n, err := w.node.DiskBytes(ref.Shard); n != 0 || err != nil {
		t.Errorf("a shard that was never written to takes %d bytes, %v", n, err)
	}
	w.mustWrite(t, ref, "a", now)
	if r, err := w.node.Times(t.Context(), ref); err != nil || r.Min != now.UnixNano() || r.Max != now.UnixNano() {
		t.Errorf("its times are %v, %v", r, err)
	}
	if err := w.node.Compact(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	if err := w.node.Close(); err != nil {
		t.Fatal(err)
	}
	w.open(t, w.disk, DefaultConfig())
	n, err := w.node.DiskBytes(ref.Shard)
	if n < 100 || err != nil || w.node.shards.opens() != 0 {
		t.Errorf("it takes %d bytes, %v; %d shards are open", n, err, w.node.shards.opens())
	}
	if free, err := w.node.Free(); free == 0 || err != nil {
		t.Errorf("%d bytes are free, %v", free, err)
	}
}

func TestCompactionByHandLeavesOneFile(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	now := time.Now()
	ref := w.shard(t, now)
	for _, name := range []string{"a", "b", "c"} {
		w.mustWrite(t, ref, name, now)
	}
	if err := w.node.Compact(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	for _, st := range w.node.ShardStatus(t.Context()) {
		if st.Shard.Shard == ref.Shard && (st.Info.Files != 1 || st.Info.Hot) {
			t.Errorf("after compaction: %+v", st.Info)
		}
	}
	if got := w.series(t, ref); got != "m,t=a m,t=b m,t=c" {
		t.Errorf("it has %q", got)
	}
}

func TestCompactionByHandGoesOnWithWritesAndOpensColdShards(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	now := time.Now()
	ref := w.shard(t, now)
	w.mustWrite(t, ref, "a", now)
	for i := range 5 {
		done := make(chan error, 1)
		go func() { done <- w.node.Compact(t.Context(), ref) }()
		w.mustWrite(t, ref, string(rune('b'+i)), now)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if err := w.node.Close(); err != nil {
		t.Fatal(err)
	}
	w.open(t, w.disk, DefaultConfig())
	if n := w.node.shards.opens(); n != 0 {
		t.Fatalf("%d shards are open", n)
	}
	if err := w.node.Compact(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	for _, st := range w.node.ShardStatus(t.Context()) {
		if st.Shard.Shard == ref.Shard && (st.Info.Files != 1 || st.Info.Hot) {
			t.Errorf("after compaction: %+v", st.Info)
		}
	}
	if got := w.series(t, ref); got != "m,t=a m,t=b m,t=c m,t=d m,t=e m,t=f" {
		t.Errorf("it has %q", got)
	}
}
