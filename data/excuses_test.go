package data

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

func TestFormatDescribesTheExcuses(t *testing.T) {
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "```excuses\n")
	example, _, closed := strings.Cut(rest, "\n```")
	if !ok || !closed {
		t.Fatal("FORMAT.md has no example of excuses")
	}
	if want := fmt.Sprintf("% x", encodeExcuses(map[uint64]map[uint64]uint64{7: {2: 3}})); example != want {
		t.Errorf("FORMAT.md says %s, the code %s", example, want)
	}
}

func TestDamagedExcusesAreDoneWithout(t *testing.T) {
	disk := vfs.NewMem()
	good := encodeExcuses(map[uint64]map[uint64]uint64{7: {2: 3}, 9: {2: 3, 4: 1}})
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if err := vfs.WriteFile(disk, excusesFile, bad); err != nil {
			t.Fatal(err)
		}
		if _, err := readExcuses(disk, excusesFile); !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("byte %d damaged: readExcuses gave %v", i, err)
		}
	}
	inBubble(t, 2, 2, nil, func(t *testing.T, b *bubble) {
		shard := b.members[0].shard().Shard
		b.members[0].mustWrite(shard, b.members[0].point("a", 1, 1))
		b.untilEqual(10*time.Second, shard)
		b.members[0].stop()
		if err := vfs.WriteFile(b.members[0].disk, "shards/"+excusesFile, good[1:]); err != nil {
			t.Fatal(err)
		}
		b.members[0].start()
		b.untilEqual(10*time.Second, shard)
	})
}

func FuzzExcusesAreReadBackOrRefused(f *testing.F) {
	f.Add(encodeExcuses(nil))
	f.Add(encodeExcuses(map[uint64]map[uint64]uint64{7: {2: 3}, 9: {2: 3, 4: 1}}))
	f.Add([]byte(excusesMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := decodeExcuses(b)
		if err != nil {
			return
		}
		again, err := decodeExcuses(encodeExcuses(all))
		if err != nil || !maps.EqualFunc(all, again, maps.Equal) {
			t.Errorf("% x reads as %v, written and read again as %v, %v", b, all, again, err)
		}
	})
}
