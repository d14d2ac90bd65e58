package coordinator

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/varvedb/varve/internal/hlc"
	"github.com/varvedb/varve/model"
)

// stamps gives batches their ids and versions.
type stamps struct {
	clock  *hlc.Clock
	origin uint64
	epoch  uint64 // drawn at the start, so that counters may begin anew

	mu  sync.Mutex
	seq map[uint64]uint64 // by shard: the last one given
}

func newStamps(clock *hlc.Clock, origin uint64) (*stamps, error) {
	var epoch [8]byte
	if _, err := rand.Read(epoch[:]); err != nil {
		return nil, fmt.Errorf("draw epoch: %w", err)
	}
	return &stamps{clock: clock, origin: origin, epoch: binary.LittleEndian.Uint64(epoch[:]), seq: make(map[uint64]uint64)}, nil
}

// stamp gives b the next id of a shard and a version.
func (s *stamps) stamp(b *model.Batch, shard uint64) error {
	now, err := s.clock.Now()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.seq[shard]++
	seq := s.seq[shard]
	s.mu.Unlock()
	b.ID = model.BatchID{Origin: s.origin, Epoch: s.epoch, Seq: seq}
	b.Version = model.Version{HLC: now, ID: b.ID}
	return nil
}
