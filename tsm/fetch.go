package tsm

import (
	"context"

	"github.com/varvedb/varve/model"
)

// Fetch gives those of the batches of want that are in the log and durable.
// trimmed are those that the shard holds and the log no longer has.
func (s *Shard) Fetch(ctx context.Context, want *model.BatchSet, emit func(*model.Batch) error) (trimmed *model.BatchSet, err error) {
	panic("TODO")
}
