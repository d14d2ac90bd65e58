package tsm

import (
	"context"

	"github.com/varvedb/varve/model"
)

// Digest is a hash of what a shard answers.
type Digest struct {
	Applied *model.BatchSet // the batches that the content is of
	Rows    int64
	Hash    [16]byte // equal on shards that hold equal sets, whatever their files
}

// Digest reads the whole shard.
func (s *Shard) Digest(ctx context.Context) (Digest, error) { panic("TODO") }
