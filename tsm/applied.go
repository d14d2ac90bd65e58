package tsm

import "github.com/varvedb/varve/model"

// Applied gives the batches that are durable here, what waits for its sync not
// among them, and the versions of the recent ones.
func (s *Shard) Applied() (set *model.BatchSet, recent []model.Version) { panic("TODO") }

// ReleaseLog removes those log files, the oldest first, of which all batches are
// in files or deletes and known to all other owners.
func (s *Shard) ReleaseLog() error { panic("TODO") }
