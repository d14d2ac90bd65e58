package meta

import "github.com/varvedb/varve/model"

// ShardGroup is one time bucket of one retention policy. It is immutable.
// Live groups of a policy never overlap.
type ShardGroup struct {
	ID       uint64
	Database uint64 // uid
	Policy   uint64 // uid

	// Start <= t < End, in nanoseconds since 1970. End of the last possible
	// group is model.MaxTime+1.
	Start, End int64

	// DeletedAt is when the group was marked deleted, in nanoseconds since
	// 1970, or 0 while it is live. Its shards are to be removed.
	DeletedAt int64

	Shards []Shard
}

// Live reports whether the group has not been marked deleted.
func (g *ShardGroup) Live() bool { return g.DeletedAt == 0 }

// Range gives the times of the group, both ends included.
func (g *ShardGroup) Range() model.TimeRange { return model.TimeRange{Min: g.Start, Max: g.End - 1} }

// Contains reports whether a point at t belongs to the group.
func (g *ShardGroup) Contains(t int64) bool { return g.Start <= t && t < g.End }

// ShardOf gives the shard of the group that keeps a series. A series stays in
// its shard for the life of the group.
func (g *ShardGroup) ShardOf(h model.SeriesHash) *Shard {
	return &g.Shards[h.Hi%uint64(len(g.Shards))]
}

// Shard is the part of a group's series that one set of owners keeps.
type Shard struct {
	ID       uint64
	Revision uint64 // of the set of owners
	Owners   []Owner
}

// Owner is a data node that keeps a replica of a shard.
type Owner struct {
	Node  uint64
	State OwnerState
}

// OwnerState says what an owner counts for.
type OwnerState string

// The states of an owner (see the design of replication): only Active ones,
// and Leaving ones in the old set, count for a consistency level.
const (
	Joining OwnerState = "joining"
	Active  OwnerState = "active"
	Leaving OwnerState = "leaving"
	Rebuild OwnerState = "rebuild"
)
