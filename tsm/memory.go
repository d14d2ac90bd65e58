package tsm

import (
	"sync/atomic"
	"unsafe"

	"github.com/varvedb/varve/internal/arena"
	"github.com/varvedb/varve/internal/invariant"
)

// memory is where the slabs of one memtable have their arrays. It is held by the
// memtable and by each Reader of it; the last one to release it gives it all
// back at once. All but hold and release need the shard's lock.
type memory struct {
	pool   *arena.Pool
	pieces [][]byte // from the pool
	bytes  int64    // of all arrays, small ones on the heap among them
	refs   atomic.Int64
}

func newMemory(pool *arena.Pool) *memory {
	m := &memory{pool: pool}
	m.refs.Store(1)
	return m
}

// hold keeps the memory. The shard's lock is held, and the memtable is part of
// the shard.
func (m *memory) hold() { m.refs.Add(1) }

// release gives back a hold.
func (m *memory) release() error {
	n := m.refs.Add(-1)
	if invariant.Enabled {
		invariant.Check(n >= 0, "memory of a memtable released %d times too often", -n)
	}
	if n > 0 {
		return nil
	}
	var failed error
	for _, p := range m.pieces {
		if err := m.pool.Put(p); err != nil {
			failed = err
		}
	}
	m.pieces = nil
	return failed
}

// kept reports whether an array is given back by hand: where it is off the heap,
// and in tests, which spoil what is given back so that its use is seen.
func kept(bytes int) bool { return bytes >= arena.MinBytes || invariant.Enabled && bytes > 0 }

// grown gives a copy of a with room for size values, which fill a class of the
// pool, in place of a. A Reader may be looking at a: then it stays for a while.
func grown[T arena.Number](m *memory, a []T, size int) []T {
	var t T
	bytes := size * int(unsafe.Sizeof(t))
	piece := m.pool.Get(bytes)
	if kept(bytes) {
		m.pieces = append(m.pieces, piece)
	}
	m.bytes += int64(bytes)
	to := append(arena.As[T](piece)[:0], a...)
	outgrown(m, a)
	return to
}

// outgrown gives back an array if nobody can be looking at it: no Reader can
// come meanwhile, for the shard's lock is held.
func outgrown[T arena.Number](m *memory, a []T) {
	var t T
	bytes := cap(a) * int(unsafe.Sizeof(t))
	if bytes < arena.MinBytes {
		m.bytes -= int64(bytes) // the collector's
	}
	if !kept(bytes) || m.refs.Load() > 1 {
		return
	}
	at := unsafe.Pointer(unsafe.SliceData(a))
	for i, p := range m.pieces {
		if unsafe.Pointer(unsafe.SliceData(p)) != at {
			continue
		}
		last := len(m.pieces) - 1
		m.pieces[i] = m.pieces[last]
		m.pieces[last] = nil
		m.pieces = m.pieces[:last]
		if bytes >= arena.MinBytes {
			m.bytes -= int64(bytes)
		}
		// What cannot be given back stays the process's: nothing is wrong with a.
		_ = m.pool.Put(p)
		return
	}
}
