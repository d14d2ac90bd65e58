package lineprotocol

import (
	"github.com/varvedb/varve/model"
)

// Result is what a body holds. InfluxDB answers in this order:
//
//   - Err is set and Batch has no rows and nothing was dropped (see Empty): 400
//     with Err's text alone; nothing is handed to the writer.
//   - The write itself drops points, or Dropped.Count > 0: 400
//     "partial write: REASON dropped=N", where the reason is the first one and
//     N counts all. Err is not mentioned.
//   - Err is set: 400 "partial write: " + Err's text + " dropped=0"; the rows
//     are stored.
//   - Else 204, also when there is nothing at all.
type Result struct {
	// Batch has the rows of the good lines. Every series has its key; the keys
	// share memory, so copy what is kept for long. Columns stand in order of
	// their first value. The rows of a measurement are in one Table unless that
	// would be mostly holes; then they are in several that follow each other,
	// in an order that keeps "the later wins".
	Batch *model.Batch
	// Err is the lines that cannot be parsed, of kind ErrInvalid, or nil.
	Err error
	// Dropped is the points that parse but are never stored.
	Dropped Drops

	// Joined says that a row of Batch stands for several lines. Where some of
	// its values are not stored, the body must be parsed again without
	// Options.Join.
	Joined bool
	// Lines counts the lines that are neither blank nor comments.
	Lines int
	// Malformed counts the lines that Err stands for, Reasons each kind of them.
	Malformed int
	Reasons   map[string]int

	pool *pool
	keys [][]byte // the memory of the keys in Batch
}

// Empty reports whether no line of the body is a point, so that InfluxDB would
// not begin to write.
func (r *Result) Empty() bool { return len(r.Batch.Tables) == 0 && r.Dropped.Count == 0 }

// Release gives the memory of r back for later bodies. Neither r nor anything
// in its Batch may be used afterwards, so whoever keeps a part of the Batch
// copies it or does without Release; not calling it only costs speed.
func (r *Result) Release() {
	if r.pool == nil {
		return
	}
	r.pool.giveBatch(r.Batch, r.keys)
	*r = Result{}
}
