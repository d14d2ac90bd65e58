package tsm

import (
	"fmt"
	"slices"
	"time"

	"github.com/varvedb/varve/model"
)

// recentSpan is how far back the versions go that Applied gives, at least: well
// beyond the cut-off up to which owners compare what they have.
const recentSpan = time.Minute

// Applied gives the batches that are durable here, what waits for its sync not
// among them, and, ascending, the versions of those that were stamped in the
// last minute, as far as the log has them. Both are the caller's.
func (s *Shard) Applied() (set *model.BatchSet, recent []model.Version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set = s.appliedLocked()
	since := s.mu.recent.since(s.now())
	for _, v := range s.mu.recent.all {
		if v.HLC >= since && set.Contains(v.ID) {
			recent = append(recent, v)
		}
	}
	slices.SortFunc(recent, model.Version.Compare)
	return set, recent
}

func (s *Shard) appliedLocked() *model.BatchSet {
	set := s.mu.held.Clone()
	for _, p := range s.mu.pending {
		set.Remove(p.id)
	}
	return set
}

// recentVersions is versions of late, and some before.
type recentVersions struct {
	all     []model.Version
	newest  model.HLC
	pruneAt int
}

// since gives where recent begins. A clock or a version that is ahead must not
// make all else look old.
func (r *recentVersions) since(now time.Time) model.HLC {
	at := min(r.newest, model.NewHLC(now))
	return at - min(at, model.HLC(recentSpan.Milliseconds())<<16)
}

func (r *recentVersions) add(v model.Version, now time.Time) {
	r.newest = max(r.newest, v.HLC)
	r.all = append(r.all, v)
	if len(r.all) >= r.pruneAt {
		since := r.since(now)
		r.all = slices.DeleteFunc(r.all, func(v model.Version) bool { return v.HLC < since })
		r.pruneAt = 2*len(r.all) + 256
	}
}

// ReleaseLog removes those log files, the oldest first, of which all batches are
// in files or deletes that the manifest names, and known to all other owners.
// Each flush does so, too; what keeps it from more is most often an owner that
// is away.
func (s *Shard) ReleaseLog() error {
	s.mu.Lock()
	through := s.mu.flushedLog
	closed := s.mu.closed
	s.mu.Unlock()
	if closed {
		return errClosed
	}
	files := s.wal.Closed(through)
	n := len(files)
	if r := s.cfg.Replication; r != nil {
		for n = 0; n < len(files) && r.Known(files[n].Batches); n++ {
			continue
		}
	}
	if n == 0 {
		return nil
	}
	if err := s.wal.Trim(files[n-1].ID); err != nil {
		return fmt.Errorf("release log: %w", err)
	}
	return nil
}
