package arena

import (
	"errors"
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/varvedb/varve/internal/invariant"
)

// The classes are the powers of two between these. Smaller pieces are cheap on
// the heap, and would cost a mapping each here; larger ones are mapped to size
// and not kept: they are few.
const (
	minBits = 15 // 32 KiB
	maxBits = 20 // 1 MiB
	classes = maxBits - minBits + 1

	// MinBytes is the least that is off the heap.
	MinBytes = 1 << minBits
)

// Pool hands out memory. It is safe for concurrent use. A nil Pool hands out
// heap memory and keeps none.
type Pool struct {
	maxFree int64
	used    atomic.Int64

	mu struct {
		sync.Mutex
		free   [classes][][]byte
		bytes  int64 // of free
		closed bool
		// onHeap is the pieces that the system refused to map.
		onHeap map[*byte]struct{}
	}
}

// New gives a Pool that keeps up to maxFree bytes to be used again.
func New(maxFree int64) *Pool { return &Pool{maxFree: maxFree} }

// Get gives n bytes, aligned for any number, whose content is arbitrary. A
// piece of at least MinBytes must come back by Put; of a smaller one, which is
// on the heap, that is not asked.
func (p *Pool) Get(n int) []byte {
	if p == nil || n < MinBytes {
		return poisoned(heap(n))
	}
	p.used.Add(int64(sizeOf(n)))
	if n <= 1<<maxBits {
		if b := p.reuse(class(n)); b != nil {
			return b[:n]
		}
	}
	b, err := mapMemory(sizeOf(n))
	if err != nil {
		// The heap may have a hole of that size, or the program ends as it does
		// for any other allocation.
		b = heap(sizeOf(n))
		p.mu.Lock()
		if p.mu.onHeap == nil {
			p.mu.onHeap = map[*byte]struct{}{}
		}
		p.mu.onHeap[&b[0]] = struct{}{}
		p.mu.Unlock()
	}
	return poisoned(b)[:n]
}

func (p *Pool) reuse(class int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	free := p.mu.free[class]
	if len(free) == 0 {
		return nil
	}
	b := free[len(free)-1]
	free[len(free)-1] = nil
	p.mu.free[class] = free[:len(free)-1]
	p.mu.bytes -= int64(len(b))
	return b
}

// Put takes back what Get gave, at its full length or less. Nobody may touch it
// from now on.
func (p *Pool) Put(b []byte) error {
	if p == nil || cap(b) < MinBytes {
		poisoned(b[:cap(b)])
		return nil
	}
	b = b[:cap(b)]
	p.used.Add(-int64(len(b)))
	poisoned(b)
	p.mu.Lock()
	if len(b) <= 1<<maxBits && !p.mu.closed && p.mu.bytes+int64(len(b)) <= p.maxFree {
		c := class(len(b))
		p.mu.free[c] = append(p.mu.free[c], b)
		p.mu.bytes += int64(len(b))
		p.mu.Unlock()
		return nil
	}
	_, onHeap := p.mu.onHeap[&b[0]]
	delete(p.mu.onHeap, &b[0])
	p.mu.Unlock()
	if onHeap {
		return nil
	}
	return unmapMemory(b)
}

// Used gives the bytes that are handed out.
func (p *Pool) Used() int64 {
	if p == nil {
		return 0
	}
	return p.used.Load()
}

// Free gives the bytes that are kept to be used again.
func (p *Pool) Free() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.bytes
}

// Close gives back to the system what is kept; pieces that come back later are
// not kept. It may be called twice.
func (p *Pool) Close() error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	p.mu.closed = true
	var all [][]byte
	for c := range p.mu.free {
		for _, b := range p.mu.free[c] {
			if _, onHeap := p.mu.onHeap[&b[0]]; !onHeap {
				all = append(all, b)
			}
			delete(p.mu.onHeap, &b[0])
		}
		p.mu.free[c] = nil
	}
	p.mu.bytes = 0
	p.mu.Unlock()
	var errs []error
	for _, b := range all {
		errs = append(errs, unmapMemory(b))
	}
	return errors.Join(errs...)
}

// class gives the smallest class whose pieces have n bytes.
func class(n int) int { return max(0, bits.Len(uint(n-1))-minBits) }

// sizeOf gives what n bytes take.
func sizeOf(n int) int {
	if n <= 1<<maxBits {
		return 1 << (class(n) + minBits)
	}
	return (n + pageBytes - 1) &^ (pageBytes - 1)
}

const pageBytes = 64 << 10 // of any system

// Number is what memory may be looked at as.
type Number interface {
	int64 | uint64 | uint32 | byte
}

// As gives the memory of b, which Get gave, as numbers.
func As[T Number](b []byte) []T {
	if cap(b) == 0 {
		return nil
	}
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(t)))
}

// heap gives memory aligned for any number.
func heap(n int) []byte {
	if n == 0 {
		return nil
	}
	words := make([]uint64, (n+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), n)
}

// poison is what memory that nobody may read has in tests.
const poison = 0xdb

// poisoned makes use of what is not written yet, or was given back, visible.
func poisoned(b []byte) []byte {
	if invariant.Enabled {
		for i := range b {
			b[i] = poison
		}
	}
	return b
}
