package query

import (
	"runtime/debug"
	gometrics "runtime/metrics"
	"sync"
	"time"
)

// reclaimer gives memory back to the system after requests that ended early.
// What a query has held is garbage then, which the runtime might keep for
// minutes on a server that has nothing else to do.
type reclaimer struct {
	mu   sync.Mutex // protects last
	last time.Time  // when the last collection began
}

const (
	// reclaimBytes is by how much the heap must have grown while the request
	// ran: a collection costs time that rises with all that is in memory.
	reclaimBytes = 64 << 20
	// reclaimEvery bounds how often it is done: a dashboard may break off many
	// queries.
	reclaimEvery = 5 * time.Second
)

// after is called when a request was killed or its client has gone, with the
// heap at its beginning.
func (r *reclaimer) after(now time.Time, before uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.last) < reclaimEvery || heapBytes() < before+reclaimBytes {
		return
	}
	r.last = now
	go debug.FreeOSMemory()
}

// heapBytes gives what the heap holds, with what is garbage by now.
func heapBytes() uint64 {
	s := [1]gometrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	gometrics.Read(s[:])
	if s[0].Value.Kind() != gometrics.KindUint64 {
		return 0 // a runtime without it
	}
	return s[0].Value.Uint64()
}
