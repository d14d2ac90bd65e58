package tsm

import "github.com/varvedb/varve/model"

// Replication is what a shard must know of the other owners. Its methods may be
// called with the shard locked, so they must not call it back nor wait for it.
type Replication interface {
	// Frontier gives a version below which no batch can arrive any more at any
	// owner. It may fall back, at a restart say; what was once true stays true.
	Frontier() model.HLC
	// Known reports whether all other owners are known to hold these batches, so
	// that the log files with them may go. The set must not be changed or kept.
	Known(ids *model.BatchSet) bool
}
