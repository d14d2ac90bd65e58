package meta

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

// How a node shows that it is alive: by a key bound to a lease. A node that
// stops is missed after the lease's time; that is long enough to outlast the
// choice of a new leader of etcd, which moreover gives every lease its full
// time again.
const (
	aliveTTL    = 3 * time.Second
	aliveEvery  = time.Second
	beatTimeout = 2 * time.Second // of one renewal, all tries included
)

// Expelled gives a channel that gets one error when the cluster does not know
// this run of the node any more: the node was removed, another directory took
// its place, or a copy of its directory was started. Such a node must end.
func (s *Store) Expelled() <-chan error { return s.expelled }

// pulse is what a node keeps up while it runs.
type pulse struct {
	store *Store
	spec  NodeSpec
	told  bool  // etcd knows of this start
	lease int64 // of the alive key; 0: none, or ended
}

// run beats until ctx ends, and takes the sign of life away then.
func (p *pulse) run(ctx context.Context) {
	every := time.NewTicker(aliveEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			p.stop(ctx)
			return
		}
		p.beat(ctx)
		if err := p.catchUp(ctx); err != nil {
			p.stop(ctx)
			p.store.log.Error("this node is not part of the cluster any more", "error", err)
			p.store.expelled <- err
			return
		}
	}
}

// stop ends the lease, so that the others see at once that the node is gone.
func (p *pulse) stop(ctx context.Context) {
	if p.lease == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatTimeout)
	defer cancel()
	if err := p.store.kv.Revoke(ctx, p.lease); err != nil && !errors.Is(err, model.ErrNotFound) {
		p.store.log.Warn("cannot end the lease of this node, it ends by itself", "error", err)
	}
}

// beat renews the lease, and makes another one and the key anew where they are
// gone. An error passes or comes again at the next beat.
func (p *pulse) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	if p.lease != 0 {
		err := p.store.kv.Renew(ctx, p.lease)
		if errors.Is(err, model.ErrNotFound) {
			p.store.metrics.leasesLost.Inc()
			p.lease = 0
		} else if err != nil || p.store.Away() || p.store.Snapshot().Alive(p.store.Self()) {
			return // while it is away it is not known whether the key is there
		}
	}
	if err := p.begin(ctx); err != nil && ctx.Err() == nil {
		p.store.log.Warn("cannot show that this node is alive, trying again", "error", err)
	}
}

func (p *pulse) begin(ctx context.Context) (err error) {
	if p.lease == 0 {
		if p.lease, err = p.store.kv.Grant(ctx, aliveTTL); err != nil {
			return err
		}
	}
	value := encode(aliveRecord{Format: recordFormat, Start: p.store.identity.Starts})
	_, revision, err := p.store.kv.Txn(ctx, nil, []Op{{Key: p.store.keys.alive(p.store.Self()), Value: value, Lease: p.lease}})
	if err != nil {
		return err
	}
	return p.store.wait(ctx, revision)
}

// catchUp does what the start could not while etcd was away. It gives an error
// when this run has no place in the cluster any more.
func (p *pulse) catchUp(ctx context.Context) error {
	s := p.store
	if !p.told {
		if s.Away() {
			return nil
		}
		self, err := s.register(ctx, p.spec)
		switch {
		case errors.Is(err, model.ErrConflict):
			return err
		case err != nil:
			return nil // it passes
		}
		p.told = true
		s.log.Info("told the metadata store of this start", "node", self.ID, "starts", self.Starts)
	}
	self := s.Snapshot().Node(s.Self())
	switch {
	case self == nil && !s.Away():
		return conflict(fmt.Sprintf("node %d was removed from the cluster", s.Self()))
	case self == nil:
		return nil
	case self.run != s.run && self.Starts >= s.identity.Starts:
		return conflict(fmt.Sprintf("node %d was started again elsewhere, from a copy of its directory", s.Self()))
	}
	if len(self.replaces) > 0 {
		if err := s.takePlace(ctx, self); err != nil && ctx.Err() == nil {
			s.log.Warn("cannot take over all shards yet, trying again", "error", err)
		}
	}
	return nil
}
