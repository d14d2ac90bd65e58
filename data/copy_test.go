package data

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// fill writes about so many pieces of text that cannot be compressed to a shard.
func (b *bubble) fill(shard uint64, pieces int) {
	b.t.Helper()
	m := b.members[0]
	for i := range 4 * pieces {
		text := make([]byte, MaxSnapshotPiece/4)
		for j := range text {
			text[j] = byte(b.random.Uint32())
		}
		p := m.point(fmt.Sprint(i%3), int64(i), 1)
		p.Tables[0].Columns[0] = model.Column{Field: model.Field{Name: "text", Type: model.String}}
		p.Tables[0].Columns[0].AppendText(text)
		m.mustWrite(shard, p)
	}
}

func TestCopyGoesOnWhereItWasCutOff(t *testing.T) {
	inBubble(t, 2, 1, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		b.fill(shard, 12)
		to := b.without(shard)
		pieces, since := 0, 0
		b.piece = func(p SnapshotPart) error {
			if p.Manifest != nil {
				return nil
			}
			pieces++
			if since++; since > 4 {
				since = 0
				return errors.New("cut off")
			}
			return nil
		}
		b.move(shard, nil, to)
		b.until(time.Minute, "both are active", func() bool { return len(b.owners(shard)) == 2 })
		if pieces < 10 || pieces > 20 {
			t.Errorf("%d pieces were sent of about 13", pieces)
		}
		if rows := b.untilEqual(20*time.Second, shard); rows != 48 {
			t.Errorf("%d rows, want 48", rows)
		}
	})
}

func TestCopyWithDamagedPiecesIsNotInstalled(t *testing.T) {
	inBubble(t, 2, 1, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		b.fill(shard, 3)
		to := b.without(shard)
		damaged := 0
		b.piece = func(p SnapshotPart) error {
			if p.Manifest == nil && damaged < 3 {
				damaged++
				p.Bytes[len(p.Bytes)/2] ^= 1
			}
			return nil
		}
		b.move(shard, nil, to)
		b.until(time.Minute, "both are active", func() bool { return len(b.owners(shard)) == 2 })
		if rows := b.untilEqual(20*time.Second, shard); rows != 12 || damaged != 3 {
			t.Errorf("%d rows, want 12; %d pieces damaged", rows, damaged)
		}
	})
}

func TestCopyRefusesNamesOutsideItsDirectory(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../x", "a/b", `a\b`} {
		c := &copying{fs: vfs.NewMem(), dir: "x.copy", sizes: make(map[string]int64)}
		if _, err := c.begin(); err != nil {
			t.Fatal(err)
		}
		if err := c.take(SnapshotPart{Manifest: []byte("m"), Files: []SnapshotFile{{Name: name, Size: 1}}}); !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("a file %q gave %v, want ErrCorrupt", name, err)
		}
	}
}

func TestReplicaThatIsToBeCopiedAnewIsNoSource(t *testing.T) {
	for _, alone := range []bool{false, true} {
		inBubble(t, 2, 2, nil, func(t *testing.T, b *bubble) {
			m := b.members[0]
			ref := m.shard()
			m.mustWrite(ref.Shard, m.point("a", 1, 1))
			b.untilEqual(10*time.Second, ref.Shard)
			if alone {
				b.members[1].stop()
				time.Sleep(10 * time.Second)
			}
			m.node.doubt(ref.Shard, fmt.Errorf("it lacks something: %w", model.ErrTrimmed))
			err := m.node.Snapshot(t.Context(), ref, nil, func(SnapshotPart) error { return nil })
			if alone && err != nil || !alone && !errors.Is(err, model.ErrBehind) {
				t.Errorf("the only one alive %v: Snapshot gave %v", alone, err)
			}
		})
	}
}
