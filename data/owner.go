package data

import (
	"context"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// Owner is a data node as the other owners of its shards see it. Node is the
// one in this process, Client one elsewhere. All methods may be called
// concurrently.
type Owner interface {
	// Tell takes in a message and answers it with one; nil is none.
	Tell(ctx context.Context, m *replica.Message) (*replica.Message, error)

	// Applied gives the batches that are durable in a replica.
	Applied(ctx context.Context, shard ShardRef) (*model.BatchSet, error)

	// Fetch emits batches that are wanted and still in the replica's log. Each
	// names the key of a series at least once in the stream. trimmed is what the
	// replica holds, but no longer in its log; what it does not hold at all is
	// in neither.
	Fetch(ctx context.Context, shard ShardRef, want *model.BatchSet, emit func(*model.Batch) error) (trimmed *model.BatchSet, err error)

	// Snapshot emits a copy of a replica's files: first a part with the manifest
	// and the list of the files, then pieces of these, file by file. resume says
	// what the receiver has of them from before: of files that begin like this
	// only the rest is sent. What emit gets is valid until it returns.
	Snapshot(ctx context.Context, shard ShardRef, resume []SnapshotFile, emit func(SnapshotPart) error) error

	// Offer hands over a batch that the others may lack and cannot pull any
	// more: what is missing of it here is written as a new batch.
	Offer(ctx context.Context, shard ShardRef, b *model.Batch) error

	// Digest gives a hash of what a replica holds.
	Digest(ctx context.Context, shard ShardRef) (tsm.Digest, error)
}

// SnapshotFile is a file of a snapshot, or the beginning of one.
type SnapshotFile struct {
	Name string
	Size int64
	Sum  uint32 // CRC32C of these bytes; not set in the list of a whole snapshot
}

// SnapshotPart is a piece of a snapshot. The first has what concerns the whole
// and no bytes.
type SnapshotPart struct {
	Manifest []byte         // empty where nothing was ever written
	Files    []SnapshotFile // all, with their whole size
	Clock    model.HLC      // a reading of the source: no floor it has told is higher

	Name   string
	Offset int64
	Bytes  []byte // at most MaxSnapshotPiece
	Sum    uint32 // CRC32C of Bytes
}

// MaxSnapshotPiece bounds the bytes of a SnapshotPart.
const MaxSnapshotPiece = 256 << 10

// Directory finds the other data nodes.
type Directory interface {
	// Owner gives a node, or nil when there is no way to it now.
	Owner(node uint64) Owner
}
