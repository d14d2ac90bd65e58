package index

import (
	"fmt"
	"math"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/model"
)

// maxSeries bounds the ids of a shard: the table keeps id+1 in 32 bits.
const maxSeries = math.MaxUint32 - 1

// Index is the series of a shard. It is safe for concurrent use.
type Index struct {
	mu struct {
		sync.RWMutex
		table        table
		keys         arena
		owner        []uint32 // per id, an index into names
		names        []*measurement
		measurements map[string]uint32 // name to index into names
		dead         *roaring.Bitmap   // buried ids
	}
}

// New gives an empty Index.
func New() *Index {
	x := &Index{}
	x.mu.measurements = map[string]uint32{}
	x.mu.dead = roaring.New()
	return x
}

// Len gives the number of ids given out, buried ones among them.
func (x *Index) Len() uint32 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.lenLocked()
}

func (x *Index) lenLocked() uint32 { return uint32(len(x.mu.owner)) }

// Unknown is what Lookup gives for a series that the Index does not have.
const Unknown = math.MaxUint32

// Lookup adds the id of each series to dst, or Unknown, and reports whether any
// is unknown. It allocates nothing but dst.
func (x *Index) Lookup(dst []uint32, series []model.Series) (ids []uint32, unknown bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for i := range series {
		id, ok := x.mu.table.find(series[i].Hash)
		if !ok {
			id, unknown = Unknown, true
		}
		dst = append(dst, id)
	}
	return dst, unknown
}

// Find gives the id of a series.
func (x *Index) Find(h model.SeriesHash) (id uint32, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.mu.table.find(h)
}

// Add gives the id of a series, a new one when it is not known. The key is
// copied; it must be canonical.
func (x *Index) Add(h model.SeriesHash, key []byte) (id uint32, added bool, err error) {
	if id, ok := x.Find(h); ok {
		return id, false, nil
	}
	name, tags, ok := model.ParseSeriesKey(key)
	if !ok {
		return 0, false, fmt.Errorf("add series %q: not a canonical key: %w", key, model.ErrInvalid)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if id, ok := x.mu.table.find(h); ok {
		return id, false, nil
	}
	n := x.lenLocked()
	if n == maxSeries {
		return 0, false, fmt.Errorf("add series: a shard holds at most %d: %w", uint32(maxSeries), model.ErrTooLarge)
	}
	mi, ok := x.mu.measurements[name]
	if !ok {
		mi = uint32(len(x.mu.names))
		x.mu.names = append(x.mu.names, newMeasurement(name))
		x.mu.measurements[name] = mi
	}
	x.mu.names[mi].add(n, tags)
	x.mu.owner = append(x.mu.owner, mi)
	x.mu.keys.append(key)
	x.mu.table.insert(h)
	return n, true, nil
}

// Key gives the canonical key of a series, nil for an id never given out. It
// must not be changed.
func (x *Index) Key(id uint32) []byte {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if id >= x.lenLocked() {
		return nil
	}
	return x.mu.keys.get(id)
}

// Tags gives the tags of a series.
func (x *Index) Tags(id uint32) model.Tags {
	key := x.Key(id)
	if key == nil {
		return nil
	}
	_, tags, _ := model.ParseSeriesKey(key) // Add has parsed it before
	return tags
}

// Measurement gives the measurement of a series.
func (x *Index) Measurement(id uint32) string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if id >= x.lenLocked() {
		return ""
	}
	return x.mu.names[x.mu.owner[id]].name
}

// Bury takes series out of all listings; ids never given out are ignored.
func (x *Index) Bury(ids *roaring.Bitmap) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mu.dead.Or(ids)
	x.mu.dead.RemoveRange(uint64(x.lenLocked()), math.MaxUint32+1)
}

// Revive puts series back into the listings.
func (x *Index) Revive(ids []uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range ids {
		x.mu.dead.Remove(id)
	}
}

// AnyBuried reports whether one of the series is buried.
func (x *Index) AnyBuried(ids []uint32) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.mu.dead.IsEmpty() {
		return false
	}
	for _, id := range ids {
		if x.mu.dead.Contains(id) {
			return true
		}
	}
	return false
}

// Buried gives a copy of the set of buried series.
func (x *Index) Buried() *roaring.Bitmap {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.mu.dead.Clone()
}
