package main

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/varvedb/varve/cmd/varved/config"
	"github.com/varvedb/varve/model"
)

// budgets is how the memory that the server stays within is divided. The rest
// is for what is short-lived, and for what grows with the number of series.
type budgets struct {
	total     int64
	memtables int64 // off the Go heap
	queries   int64 // what all that run at a time may hold, here and for other nodes
	bodies    int64 // of writes
	memo      int64 // of series, in the parser
}

func newBudgets(total int64) budgets {
	return budgets{total: total, memtables: total / 4, queries: total / 4, bodies: total / 8, memo: total / 16}
}

// maxSelectMemory is what one statement may hold where nothing else is said: no
// statement alone may take what all others need.
func (b budgets) maxSelectMemory() int { return int(min(256<<20, b.queries/2)) }

// limitMemory tells the runtime how much memory to stay within, and divides
// that bound: asked, or GOMEMLIMIT, or three fifths of what the container or the
// machine has. The files that are read want the others.
func limitMemory(asked int64) budgets {
	if asked == 0 {
		if set := debug.SetMemoryLimit(-1); set != math.MaxInt64 {
			asked = max(set, config.MinMemory)
		} else {
			asked = max(config.MinMemory, machineMemory(os.DirFS("/"))/5*3)
		}
	}
	b := newBudgets(asked)
	debug.SetMemoryLimit(b.total - b.memtables)
	return b
}

// memoryGate refuses work before the memory is used up: what the collector
// found in use, and what is off its heap.
type memoryGate struct {
	limit   int64
	offHeap func() int64
	behind  func() bool // whether memtables are full, and being flushed

	mu    sync.Mutex
	asked time.Time
	used  int64
}

const (
	// memoryEvery is how long a reading serves.
	memoryEvery = 50 * time.Millisecond
	// What is in use when writes, and when queries are refused, in percent.
	// Queries go on for longer: one of them may be the DROP that makes room.
	fullForWrites, fullForQueries = 90, 95
)

// Writes gives the refusal of a write, or nil.
func (g *memoryGate) Writes() error { return g.refusal(fullForWrites) }

// Queries gives the refusal of a query, or nil.
func (g *memoryGate) Queries() error { return g.refusal(fullForQueries) }

// Behind reports whether memtables hold all they may, and are being flushed.
func (g *memoryGate) Behind() bool { return g.behind() }

var errMemory = &model.Error{Kind: model.ErrOverloaded, Text: "the server's memory is nearly used up, try again later"}

func (g *memoryGate) refusal(percent int64) error {
	if g.inUse() < g.limit/100*percent {
		return nil
	}
	return errMemory
}

func (g *memoryGate) inUse() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := time.Now(); now.Sub(g.asked) >= memoryEvery {
		// What the last collection left, not what is there: that may be garbage,
		// which is let grow as long as there is room.
		samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
		metrics.Read(samples)
		g.asked, g.used = now, int64(samples[0].Value.Uint64()+samples[1].Value.Uint64())
	}
	return g.used + g.offHeap()
}
