package lineprotocol

import (
	"sync"
	"unsafe"

	"github.com/varvedb/varve/internal/invariant"
	"github.com/varvedb/varve/model"
)

const (
	// maxPooledBytes bounds what a Parser keeps of released results.
	maxPooledBytes = 64 << 20
	// minPooled is the capacity below which a slice is neither kept nor taken
	// from what is: a batch of many small tables must not sit on large slices.
	minPooled = 256
	// maxPooledSlice bounds one slice that is kept, in bytes: what an unusually
	// large body needed, as the million keys of a million series, would stay
	// for good. It is 500,000 times, or 100,000 series.
	maxPooledSlice = 4 << 20
)

// pool keeps the memory of released results for later ones.
type pool struct {
	mu struct {
		sync.Mutex
		bytes int
		words [][]uint64
		rows  [][]uint32
		times [][]int64
		texts [][]byte
		lists [][]model.Series
	}
}

// takeWords gives an empty slice, with room for n or more when it is new.
func (p *pool) takeWords(n int) []uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return take(&p.mu.words, n, &p.mu.bytes, 8)
}

func (p *pool) takeRows(n int) []uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return take(&p.mu.rows, n, &p.mu.bytes, 4)
}

func (p *pool) takeTimes(n int) []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return take(&p.mu.times, n, &p.mu.bytes, 8)
}

func (p *pool) takeText(n int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return take(&p.mu.texts, n, &p.mu.bytes, 1)
}

func (p *pool) takeSeries(n int) []model.Series {
	p.mu.Lock()
	defer p.mu.Unlock()
	return take(&p.mu.lists, n, &p.mu.bytes, seriesSize)
}

const seriesSize = int(unsafe.Sizeof(model.Series{}))

func (p *pool) giveWords(s []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	give(&p.mu.words, s, &p.mu.bytes, 8)
}

// giveBatch takes the memory of a batch that nobody uses any more, and of the
// keys of its series.
func (p *pool) giveBatch(b *model.Batch, keys [][]byte) {
	if invariant.Enabled { // show who uses it all the same
		for _, k := range keys {
			clear(k[:cap(k)])
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		give(&p.mu.texts, k, &p.mu.bytes, 1)
	}
	clear(b.Series) // of keys that are not kept
	give(&p.mu.lists, b.Series, &p.mu.bytes, seriesSize)
	for i := range b.Tables {
		t := &b.Tables[i]
		give(&p.mu.rows, t.Series, &p.mu.bytes, 4)
		give(&p.mu.times, t.Times, &p.mu.bytes, 8)
		for j := range t.Columns {
			give(&p.mu.words, t.Columns[j].Bits, &p.mu.bytes, 8)
			give(&p.mu.rows, t.Columns[j].Ends, &p.mu.bytes, 4)
			give(&p.mu.texts, t.Columns[j].Text, &p.mu.bytes, 1)
		}
	}
}

func take[T any](from *[][]T, n int, bytes *int, size int) []T {
	last := len(*from) - 1
	if last < 0 || n < minPooled {
		return make([]T, 0, n)
	}
	s := (*from)[last]
	(*from)[last] = nil
	*from = (*from)[:last]
	*bytes -= cap(s) * size
	if cap(s) < n {
		return make([]T, 0, n)
	}
	return s[:0]
}

func give[T any](to *[][]T, s []T, bytes *int, size int) {
	if n := cap(s) * size; cap(s) < minPooled || n > maxPooledSlice || *bytes+n > maxPooledBytes {
		return
	}
	*bytes += cap(s) * size
	*to = append(*to, s)
}
