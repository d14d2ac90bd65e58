package meta

import (
	"context"
	"time"

	"github.com/varvedb/varve/internal/pace"
)

// A Snapshot counts as fresh for freshFor after a moment at which it was
// complete: a comparison with etcd is made every freshEvery. So nobody is seen
// to come or go later than that, unless the Store says that it is away.
const (
	freshFor   = 3 * time.Second
	freshEvery = time.Second
)

// Away reports whether the Snapshot may lack what happened more than 3 s ago,
// since etcd does not answer or the watch is broken. That a node is not alive
// is not to be believed then.
func (s *Store) Away() bool {
	s.freshness.Lock()
	defer s.freshness.Unlock()
	return time.Since(s.freshness.at) >= freshFor
}

// compare finds out again and again whether the watch has sent everything,
// until ctx ends.
func (s *Store) compare(ctx context.Context) {
	for away := s.Away(); pace.Sleep(ctx, freshEvery) == nil; {
		s.compareOnce(ctx)
		if now := s.Away(); now != away {
			if away = now; away {
				s.log.Warn("metadata store is away, going on with the last metadata")
			} else {
				s.log.Info("metadata store is back")
			}
			s.metrics.setAway(away)
		}
	}
}

// compareOnce reads etcd's revision. The Snapshot was complete when the reading
// began, once the watch has come as far.
func (s *Store) compareOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, freshFor)
	defer cancel()
	began := time.Now()
	_, revision, err := s.kv.Range(ctx, s.keys.format())
	if err != nil {
		return
	}
	s.freshness.Lock()
	defer s.freshness.Unlock()
	if !s.freshness.open {
		s.freshness.open, s.freshness.began, s.freshness.revision = true, began, revision
	}
	s.settleLocked()
}

// watched notes that the watch has sent all changes up to a revision.
func (s *Store) watched(revision int64) {
	s.freshness.Lock()
	defer s.freshness.Unlock()
	s.freshness.watched = revision
	s.settleLocked()
}

func (s *Store) settleLocked() {
	if f := &s.freshness; f.open && f.watched >= f.revision {
		f.at, f.open = f.began, false
	}
}
