package meta

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/model"
)

// How long the watcher waits before it reads everything again: from the first
// bound, doubled after each failure, to the second.
const (
	reloadAfter    = 50 * time.Millisecond
	reloadAtMostIn = 2 * time.Second
	// sayAgain is how long the same reason why that fails is not logged again.
	sayAgain = time.Minute
)

// load gives the metadata to start with: from etcd, or from the copy on disk
// when etcd does not answer, or has a value that makes no sense: a node that runs
// goes on with what was there before, so one that starts must not stay away. What
// a newer server wrote is no garbage, and not for this one.
func (s *Store) load(ctx context.Context) (*builder, error) {
	b, err := s.read(ctx)
	if err == nil {
		return b, s.adopt(b.next.cluster.ID)
	}
	if errors.Is(err, errNewer) || !errors.Is(err, model.ErrUnavailable) && !errors.Is(err, model.ErrCorrupt) {
		return nil, err
	}
	b, copyErr := s.readCopy()
	if copyErr != nil {
		s.log.Warn("there is no copy of the metadata to start with", "error", copyErr)
		return nil, err
	}
	s.log.Warn("cannot read the metadata store, starting with the last copy of the metadata", "revision", b.next.revision, "error", err)
	return b, nil
}

// read reads all metadata from etcd. A cluster is made where there is none,
// unless this directory belongs to one already.
func (s *Store) read(ctx context.Context) (*builder, error) {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	for {
		items, revision, err := s.kv.Range(ctx, s.keys.root)
		if err != nil {
			return nil, s.unavailable(ctx, "read everything", err)
		}
		b := newBuilder(s.keys)
		b.next.defaultReplication = s.cfg.DefaultReplication
		for _, item := range items {
			// With a hole in it the metadata would look as if a database or
			// a shard had been dropped, and its data would be removed.
			if err := b.apply(Change{Item: item}); err != nil {
				s.metrics.badValues.Inc()
				return nil, err
			}
		}
		b.next.revision = revision
		if err := s.checkCluster(b.next.cluster.ID); err != nil {
			return nil, err
		}
		if b.next.cluster.ID != "" {
			return b, nil
		}
		if err := s.makeCluster(ctx); err != nil {
			return nil, err
		}
	}
}

// checkCluster refuses what belongs to another cluster than this directory.
func (s *Store) checkCluster(id string) error {
	switch {
	case s.identity.Cluster == "" || s.identity.Cluster == id:
		return nil
	case id == "":
		return conflict(fmt.Sprintf("%s belongs to cluster %s, but the metadata store holds no cluster", s.dir, s.identity.Cluster))
	}
	return conflict(fmt.Sprintf("%s belongs to cluster %s, not to cluster %s of the metadata store", s.dir, s.identity.Cluster, id))
}

func (s *Store) makeCluster(ctx context.Context) error {
	id := make([]byte, 16)
	rand.Read(id)
	_, _, err := s.kv.Txn(ctx,
		[]Condition{{Key: s.keys.format()}, {Key: s.keys.ids()}},
		[]Op{
			Put(s.keys.format(), encode(clusterRecord{recordFormat, hex.EncodeToString(id), hex64(random64())})),
			Put(s.keys.ids(), encode(idsRecord{Format: recordFormat, Next: 1})),
			Put(s.keys.changed(), encode(changedRecord{Format: recordFormat})),
		})
	if err != nil {
		return s.unavailable(ctx, "make cluster", err)
	}
	return nil // made here or by another node at the same time: read it
}

// watch keeps the Snapshot up to date until ctx ends.
func (s *Store) watch(ctx context.Context, b *builder) {
	pause := reloadAfter
	var failed error
	var said time.Time
	for reload := b.fromDisk; ctx.Err() == nil; reload = true {
		if reload {
			if pace.Sleep(ctx, pause) != nil {
				return
			}
			pause = min(2*pause, reloadAtMostIn)
			s.metrics.reloads.Inc()
			next, err := s.read(ctx)
			if err != nil {
				if ctx.Err() == nil && (failed == nil || failed.Error() != err.Error() || time.Since(said) >= sayAgain) {
					s.log.Error("cannot read the metadata again, going on with the last", "error", err)
					failed, said = err, time.Now()
				}
				continue
			}
			failed = nil
			b = next
			s.publish(b.snapshot())
			s.watched(b.next.revision)
		}
		if s.follow(ctx, b) {
			pause = reloadAfter
		}
	}
}

// follow applies changes until the watch breaks. It reports whether any came.
func (s *Store) follow(ctx context.Context, b *builder) (any bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for c := range s.kv.Watch(ctx, s.keys.root, b.next.revision+1) {
		if c.Err != nil {
			if ctx.Err() == nil {
				s.log.Warn("watch of the metadata broke", "error", c.Err)
			}
			break
		}
		if len(c.Changes) == 0 {
			s.watched(c.Revision)
			continue
		}
		for _, change := range c.Changes {
			if err := b.apply(change); err != nil {
				s.metrics.badValues.Inc()
				s.log.Error("a value in the metadata store makes no sense, keeping what was there before", "error", err)
			}
		}
		b.next.revision = c.Revision
		s.publish(b.snapshot())
		s.watched(c.Revision)
		any = true
	}
	return any
}
