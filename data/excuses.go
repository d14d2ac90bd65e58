package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// excusesFile keeps which starts of other owners the replicas here were in sync
// with (FORMAT.md): one that is away is excused only then, also after a restart.
const excusesFile = "excuses"

const (
	excusesMagic    = "VEX\x01" // the last byte is the version of the format
	excuseBytes     = 3 * 8
	maxExcusesBytes = 64 << 20
)

// excuses is what was kept last. The keeper alone uses it.
type excuses struct {
	change uint64
	at     time.Time
	kept   bool
}

// keepExcuses writes the excuses when they have changed, at most once a second.
// That what is on disk is older does no harm: an excuse that is missing there
// makes this node wait, and one that was withdrawn since is withdrawn again with
// the first statement that it comes to hear.
func (n *Node) keepExcuses(force bool) {
	all, change := n.core.Excuses()
	if n.excuses.kept && (change == n.excuses.change || !force && time.Since(n.excuses.at) < time.Second) {
		return
	}
	// Those of shards that are not open yet are still as they were found.
	n.follows.Lock()
	for id, found := range n.follows.excuses {
		if all[id] == nil {
			all[id] = found
		}
	}
	n.follows.Unlock()
	n.excuses.at = time.Now()
	if err := vfs.WriteFile(n.shards.vfs, path.Join(n.shards.dir, excusesFile), encodeExcuses(all)); err != nil {
		n.log.Warn("excuses of absent owners could not be kept", "error", err)
		return
	}
	n.excuses.change, n.excuses.kept = change, true
}

// encodeExcuses writes, sorted, shard, node and start of each.
func encodeExcuses(all map[uint64]map[uint64]uint64) []byte {
	b := []byte(excusesMagic)
	for _, shard := range slices.Sorted(maps.Keys(all)) {
		for _, node := range slices.Sorted(maps.Keys(all[shard])) {
			b = binary.LittleEndian.AppendUint64(b, shard)
			b = binary.LittleEndian.AppendUint64(b, node)
			b = binary.LittleEndian.AppendUint64(b, all[shard][node])
		}
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeExcuses is the inverse of encodeExcuses; anything else is model.ErrCorrupt.
func decodeExcuses(b []byte) (map[uint64]map[uint64]uint64, error) {
	size := len(b) - len(excusesMagic) - 4
	if size < 0 || size%excuseBytes != 0 || string(b[:len(excusesMagic)]) != excusesMagic ||
		crc32.Checksum(b[:len(b)-4], castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, model.ErrCorrupt
	}
	all := make(map[uint64]map[uint64]uint64)
	for b = b[len(excusesMagic) : len(b)-4]; len(b) > 0; b = b[excuseBytes:] {
		shard, node := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		if all[shard] == nil {
			all[shard] = make(map[uint64]uint64)
		}
		all[shard][node] = binary.LittleEndian.Uint64(b[16:])
	}
	return all, nil
}

// readExcuses gives none when there is no file.
func readExcuses(fsys vfs.FS, name string) (map[uint64]map[uint64]uint64, error) {
	b, err := vfs.ReadFile(fsys, name, maxExcusesBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := decodeExcuses(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}
