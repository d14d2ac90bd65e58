package tsm

import "github.com/varvedb/varve/model"

// Lacking gives what of b the shard neither has nor has deleted, as a batch that
// is not stamped; nil when that is nothing.
func (s *Shard) Lacking(b *model.Batch) (*model.Batch, error) { panic("TODO") }

// Damaged says what of the shard cannot be read any more; nil is nothing.
func (s *Shard) Damaged() error { panic("TODO") }
