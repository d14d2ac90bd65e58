package data

import (
	"testing"
	"time"
)

// overTheWire passes parts on as they come out of a connection, where an empty
// manifest is not nil.
func overTheWire(t *testing.T, p SnapshotPart) SnapshotPart {
	t.Helper()
	p, err := decodeSnapshotPart(appendSnapshotPart(nil, &p))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestShardWithoutDataIsCopied(t *testing.T) {
	inBubble(t, 2, 1, nil, func(t *testing.T, b *bubble) {
		b.wire = func(p SnapshotPart) SnapshotPart { return overTheWire(t, p) }
		shard := b.members[0].shard().Shard
		b.move(shard, nil, b.without(shard))
		b.until(time.Minute, "both are active", func() bool { return len(b.owners(shard)) == 2 })
	})
}
