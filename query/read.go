package query

import (
	"slices"
	"sync"
)

// ReadConsistency is what a SELECT or SHOW must see.
type ReadConsistency uint8

// The consistencies. The zero one is the server's default.
const (
	ReadDefault ReadConsistency = iota
	ReadOne                     // what one replica holds that is in sync with the others
	ReadQuorum                  // every write acknowledged at quorum before the read began
)

// Read is how a statement wants to be answered, and what its answer lacks. A
// nil Read is the defaults.
type Read struct {
	Consistency ReadConsistency
	// Partial asks for an answer also where a shard has no replica that can
	// prove to hold all. What it may lack is told by Lacks.
	Partial bool

	mu    sync.Mutex
	lacks []string
}

// Lacks notes that the answer may not be complete, and why. It may be called
// concurrently; the same text counts once.
func (r *Read) Lacks(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.lacks, text) && len(r.lacks) < maxLacks {
		r.lacks = append(r.lacks, text)
	}
}

// maxLacks bounds the messages of one statement.
const maxLacks = 100

// Lacking gives what was noted, sorted.
func (r *Read) Lacking() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.lacks))
}
