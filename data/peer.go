package data

import (
	"context"
	"fmt"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// ShardRef names a shard and what it belongs to. All four are uids of the
// metadata, which are never used twice; Shard alone tells shards apart.
type ShardRef struct {
	Database uint64
	Policy   uint64
	Group    uint64
	Shard    uint64
}

func (r ShardRef) String() string { return fmt.Sprintf("shard %d", r.Shard) }

// Peer is a data node as a coordinator sees it. Node is the one in this
// process. All methods may be called concurrently.
//
// A shard that was never written to at this peer has no data: scans of it emit
// nothing and lists of it are empty.
type Peer interface {
	// Write makes a stamped batch durable in a shard and visible to readers.
	// The batch is shared by the owners it is sent to and is not changed. A
	// batch for a shard whose group was dropped is counted and ignored.
	// model.ErrNeedKeys asks for the batch again, with all keys.
	Write(ctx context.Context, shard ShardRef, b *model.Batch) error

	// Scan runs a fragment on a shard. What emit gets is its own.
	Scan(ctx context.Context, shard ShardRef, f *plan.Fragment, emit func(*exec.Partial) error) error

	// List answers what SHOW asks of a shard.
	List(ctx context.Context, shard ShardRef, q *exec.ListRequest) (*exec.List, error)

	// Schema gives the measurements of a shard for whose name where holds, sorted.
	Schema(ctx context.Context, shard ShardRef, where *model.Predicate) ([]Measurement, error)
}

// Measurement is what the planner asks of a shard about a measurement.
type Measurement struct {
	Name   string
	Fields []model.Field // sorted by name and type
	Tags   []string      // tag keys, sorted
}
