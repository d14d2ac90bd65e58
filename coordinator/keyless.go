package coordinator

import (
	"slices"
	"sync"
	"time"

	"github.com/varvedb/varve/model"
)

// keyless remembers which other owners can be sent the rows of a shard without
// the keys of their series: those that have taken a batch and were not missing
// a key lately. It is a guess that costs a second way when it is wrong, since an
// owner asks for the keys that it lacks.
type keyless struct {
	mu    sync.Mutex
	after map[keyPlace]time.Time // from when on
}

// keyPlace is an owner of a shard.
type keyPlace struct{ node, shard uint64 }

const (
	// keysAfterAsked is how long an owner that has asked for keys is sent them
	// unasked: where series come and go all the time that is always.
	keysAfterAsked = 10 * time.Second
	// maxKeyPlaces bounds the owners remembered. With one more all are forgotten,
	// which costs each of them the keys once.
	maxKeyPlaces = 16 << 10
)

// may reports whether a batch is to be tried without keys.
func (k *keyless) may(at keyPlace) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	after, ok := k.after[at]
	return ok && !time.Now().Before(after)
}

// taken notes that an owner has taken a batch.
func (k *keyless) taken(at keyPlace) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.after[at]; !ok {
		k.setLocked(at, time.Time{})
	}
}

// asked notes that an owner has asked for keys.
func (k *keyless) asked(at keyPlace) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.setLocked(at, time.Now().Add(keysAfterAsked))
}

func (k *keyless) setLocked(at keyPlace, after time.Time) {
	if k.after == nil || len(k.after) >= maxKeyPlaces {
		k.after = make(map[keyPlace]time.Time)
	}
	k.after[at] = after
}

// withoutKeys gives a batch of the same rows that names its series by their
// hashes only.
func withoutKeys(b *model.Batch) *model.Batch {
	bare := *b
	bare.Series = slices.Clone(b.Series)
	for i := range bare.Series {
		bare.Series[i].Key = nil
	}
	return &bare
}
