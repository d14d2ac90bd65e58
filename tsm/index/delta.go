package index

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/varvedb/varve/model"
)

// delta is the series since the last file, in memory. Its ids begin at first
// and are dense. The postings are made when they are asked for: a condition on
// tags, or the next file; adding a series does not wait for that.
type delta struct {
	first uint32

	mu struct { // taken after tags.Mutex
		sync.RWMutex
		table table
		keys  arena
	}
	tags struct {
		sync.Mutex
		*postings
		built uint32 // series with lower ids are in the postings
	}
	tagBytes atomic.Int64 // about what the postings take
}

// seriesBytes is about what a series takes in a delta besides key and postings.
const seriesBytes = hashBytes + 8 + 8

func newDelta(first uint32) *delta {
	d := &delta{first: first}
	d.tags.postings, d.tags.built = newPostings(), first
	return d
}

func (d *delta) end() uint32 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.endLocked()
}

func (d *delta) endLocked() uint32 { return d.first + uint32(len(d.mu.table.hashes)) }

func (d *delta) find(h model.SeriesHash) (id uint32, ok bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	n, ok := d.mu.table.find(h)
	return d.first + n, ok
}

func (d *delta) findAll(ids []uint32, series []model.Series) (unknown int) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.mu.table.findAll(ids, series, d.first)
}

// add gives the id of a series that is in no file.
func (d *delta) add(h model.SeriesHash, key []byte) (id uint32, added bool, err error) {
	if !parses(key) {
		return 0, false, fmt.Errorf("add series %q: not a canonical key: %w", key, model.ErrInvalid)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if n, ok := d.mu.table.find(h); ok {
		return d.first + n, false, nil
	}
	id = d.endLocked()
	if id >= maxSeries {
		return 0, false, fmt.Errorf("add series: a shard holds at most %d: %w", uint32(maxSeries), model.ErrTooLarge)
	}
	d.mu.keys.append(key)
	d.mu.table.insert(h)
	return id, true, nil
}

// key gives the key of a series of d. It stays as it is.
func (d *delta) key(id uint32) []byte {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if id >= d.endLocked() {
		return nil
	}
	return d.mu.keys.get(id - d.first)
}

func (d *delta) measurement(id uint32) string {
	token, _, _ := nextToken(d.key(id))
	return string(plain(token, ", "))
}

// snapshot gives what d has now and does not change.
func (d *delta) snapshot() (hashes []model.SeriesHash, keys arena) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	hashes = d.mu.table.hashes
	return hashes[:len(hashes):len(hashes)], d.mu.keys.snapshot()
}

// memory gives about what d takes.
func (d *delta) memory() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.mu.keys.bytes + len(d.mu.table.hashes)*seriesBytes + int(d.tagBytes.Load())
}

// buildLocked brings the postings up to date. The lock of the tags is held.
func (d *delta) buildLocked() {
	if d.tags.built == d.end() {
		return // not worth a snapshot: limits ask for one value after the other
	}
	hashes, keys := d.snapshot()
	for end := d.first + uint32(len(hashes)); d.tags.built < end; d.tags.built++ {
		d.tags.add(d.tags.built, keys.get(d.tags.built-d.first))
	}
	d.tagBytes.Store(int64(d.tags.bytes))
}

// content gives the series of d from first to before end for a file.
func (d *delta) content(first, end uint32) *content {
	hashes, keys := d.snapshot()
	lo, hi := first-d.first, end-d.first
	return &content{
		first: first, count: end - first,
		hashes: func(yield func([]model.SeriesHash) bool) { yield(hashes[lo:hi]) },
		keys: func(yield func([]byte) bool) {
			for i := lo; i < hi && yield(keys.get(i)); i++ {
			}
		},
		tags: func(w *tagsWriter) error {
			d.tags.Lock()
			defer d.tags.Unlock()
			d.buildLocked()
			d.tags.write(w, first, end)
			return nil
		},
		err: func() error { return nil },
	}
}

// after gives a delta with those series of d that have ids from first on.
func (d *delta) after(first uint32) *delta {
	rest := newDelta(first)
	hashes, keys := d.snapshot()
	for i := first - d.first; i < uint32(len(hashes)); i++ {
		rest.mu.keys.append(keys.get(i))
		rest.mu.table.insert(hashes[i])
	}
	return rest
}
