package data

import (
	"context"
	"fmt"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
	"github.com/varvedb/varve/tsm"
)

// ShardRef names a shard and what it belongs to. The first four are uids of the
// metadata, which are never used twice; Shard alone tells shards apart.
type ShardRef struct {
	Database uint64
	Policy   uint64
	Group    uint64
	Shard    uint64
	// Revision is that of the set of owners that the sender knows: one who knows
	// another answers model.ErrMoved. 0 is not checked.
	Revision uint64
}

func (r ShardRef) String() string { return fmt.Sprintf("shard %d", r.Shard) }

// ReadRef names a shard to read, and what the answer must contain.
type ReadRef struct {
	ShardRef
	// Stale asks for an answer also from a replica that is behind.
	Stale bool
	// Holds, when set, is what the replica must hold; it waits for what it does
	// not hold yet, as long as the context allows.
	Holds *model.BatchSet
}

// Peer is a data node as a coordinator sees it. Node is the one in this
// process, Client one elsewhere. All methods may be called concurrently.
//
// A shard that was never written to has no data: scans of it emit nothing and
// lists of it are empty. An owner that knows another revision of the owners
// than the sender, after it has read the metadata again, answers
// model.ErrMoved; one that cannot prove that it holds all, model.ErrBehind with
// a text that says whom it misses.
type Peer interface {
	// Write makes a stamped batch durable in a shard and visible to readers.
	// The batch is shared by the owners it is sent to and is not changed. A
	// batch for a shard whose group was dropped is counted and ignored.
	//
	// heldBy is 0 for a batch that is sent first-hand, else another owner that
	// holds it: then it is taken like a pull, however old it is.
	//
	// model.ErrNeedKeys asks for the batch again, with all keys. model.ErrStale
	// says that the batch is not held here and never will be taken first-hand.
	Write(ctx context.Context, shard ShardRef, b *model.Batch, heldBy uint64) error

	// Room holds series, all with keys, against the limits of their database, and
	// says how many more fit. It is asked before they are written: Write refuses
	// nothing for its content.
	Room(ctx context.Context, shard ShardRef, limits model.SeriesLimits, series []model.Series) (Room, error)

	// Scan runs a fragment on a shard. What emit gets is its own.
	Scan(ctx context.Context, r ReadRef, f *plan.Fragment, emit func(*exec.Partial) error) error

	// List answers what SHOW asks of a shard.
	List(ctx context.Context, r ReadRef, q *exec.ListRequest) (*exec.List, error)

	// Schema gives the measurements of a shard for whose name where holds, sorted.
	Schema(ctx context.Context, r ReadRef, where *model.Predicate) ([]Measurement, error)

	// Applied gives the batches that are durable in a replica.
	Applied(ctx context.Context, shard ShardRef) (*model.BatchSet, error)
}

// Room is what fits into a shard until it reaches a limit.
type Room = tsm.Room

// RefusedSeries is a series that does not fit.
type RefusedSeries = tsm.RefusedSeries

// Measurement is what the planner asks of a shard about a measurement.
type Measurement struct {
	Name   string
	Fields []model.Field // sorted by name and type
	Tags   []string      // tag keys, sorted
}
