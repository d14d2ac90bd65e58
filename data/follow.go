package data

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// follow tells the core who owns what when the metadata has changed, and gives
// the snapshot that it knows of.
func (n *Node) follow() *meta.Snapshot {
	if s := n.follows.snapshot.Load(); s == n.meta.Snapshot() {
		return s
	}
	n.follows.Lock()
	defer n.follows.Unlock()
	now := n.meta.Snapshot()
	if n.follows.snapshot.Load() == now {
		return now
	}
	gone := n.follows.owned
	n.follows.owned = make(map[uint64]uint64, len(gone))
	for g := range now.AllGroups {
		if !g.Live() {
			continue
		}
		for i := range g.Shards {
			sh := &g.Shards[i]
			if n.stateIn(sh) == "" {
				continue
			}
			if gone[sh.ID] != sh.Revision {
				n.learn(sh)
			}
			delete(gone, sh.ID)
			n.follows.owned[sh.ID] = sh.Revision
		}
	}
	for id := range gone {
		n.core.Forget(id)
	}
	n.tellNodes(now)
	n.follows.snapshot.Store(now)
	return now
}

// learn tells the core the owners of a shard that this node is one of.
func (n *Node) learn(sh *meta.Shard) {
	owners := make([]replica.Owner, len(sh.Owners))
	for i, o := range sh.Owners {
		owners[i] = replica.Owner{Node: o.Node, State: replica.State(o.State)}
	}
	n.core.SetOwners(sh.ID, sh.Revision, owners)
	if excuses, ok := n.follows.excuses[sh.ID]; ok {
		delete(n.follows.excuses, sh.ID)
		n.core.SetExcuses(sh.ID, excuses)
	}
	if n.stateIn(sh) != meta.Joining {
		n.setCopied(sh.ID, false)
	}
	if serves(n.stateIn(sh)) {
		// One that was never written to has no directory: it is known to be
		// empty. Under the lock of shards, so that one that is made just now
		// is either seen or opened after this.
		n.shards.unlessThere(sh.ID, func() { n.core.Opened(sh.ID, &model.BatchSet{}, nil) })
	}
	ask(n.steps)
}

// tellNodes tells the core which nodes are alive.
func (n *Node) tellNodes(s *meta.Snapshot) {
	nodes := make(map[uint64]replica.NodeInfo)
	for _, other := range s.Nodes() {
		nodes[other.ID] = replica.NodeInfo{Start: other.Starts, Alive: s.Alive(other.ID)}
	}
	n.core.SetNodes(!n.meta.Away(), nodes)
}

// stateIn gives the state of this node as an owner, "" when it is none.
func (n *Node) stateIn(sh *meta.Shard) meta.OwnerState {
	if sh == nil {
		return ""
	}
	for _, o := range sh.Owners {
		if o.Node == n.self {
			return o.State
		}
	}
	return ""
}

// serves reports whether an owner in a state answers reads and takes batches
// first-hand.
func serves(s meta.OwnerState) bool { return s == meta.Active || s == meta.Leaving }

// others gives the other owners of a shard in one of the states.
func (n *Node) others(sh *meta.Shard, states ...meta.OwnerState) []uint64 {
	var nodes []uint64
	for _, o := range sh.Owners {
		if o.Node != n.self && slices.Contains(states, o.State) {
			nodes = append(nodes, o.Node)
		}
	}
	return nodes
}

// refOf gives the reference to a shard, at the revision that is known here.
func refOf(g *meta.ShardGroup, sh *meta.Shard) ShardRef {
	return ShardRef{Database: g.Database, Policy: g.Policy, Group: g.ID, Shard: sh.ID, Revision: sh.Revision}
}

// current gives a shard as the metadata has it, at least as new as the sender
// of ref knows it if the metadata can be read. Both are nil for a shard that is
// not there or that is to be removed.
func (n *Node) current(ctx context.Context, ref ShardRef) (*meta.ShardGroup, *meta.Shard, error) {
	g, sh := n.follow().Shard(ref.Shard)
	if sh == nil || sh.Revision < ref.Revision {
		// Made, or changed, a moment ago; or gone.
		if err := n.meta.Refresh(ctx); err != nil && sh == nil {
			return nil, nil, err
		}
		g, sh = n.follow().Shard(ref.Shard)
	}
	if sh == nil || !g.Live() {
		return nil, nil, nil
	}
	return g, sh, nil
}

// follower follows the metadata, also while no request comes.
func (n *Node) follower(ctx context.Context) {
	every := time.NewTicker(n.cfg.TellEvery)
	defer every.Stop()
	for {
		changed := n.meta.Changed()
		s := n.follow()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-every.C:
			n.tellNodes(s) // a store that goes away changes no snapshot
			n.core.Tick(n.lately())
		}
	}
}

// loader opens every replica with other owners once, so that these learn what
// it holds, the newest first. That it is closed again, when there are too many,
// does no harm.
func (n *Node) loader(ctx context.Context) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		for _, id := range n.unloaded() {
			if ctx.Err() != nil {
				return
			}
			_ = n.load(id) // what went wrong is in the log, and is tried again
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// unloaded gives the replicas with other owners of which it is not known yet
// what they hold, those of the newest groups first.
func (n *Node) unloaded() []uint64 {
	type found struct {
		id    uint64
		start int64
	}
	var all []found
	for g := range n.follow().AllGroups {
		if !g.Live() {
			continue
		}
		for i := range g.Shards {
			sh := &g.Shards[i]
			state := n.stateIn(sh)
			if len(sh.Owners) < 2 || !n.shards.has(sh.ID) || n.shards.isLoaded(sh.ID) ||
				!serves(state) && (state != meta.Joining || !n.marked(sh.ID)) {
				continue
			}
			all = append(all, found{sh.ID, g.Start})
		}
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Compare(b.start, a.start) })
	ids := make([]uint64, len(all))
	for i, f := range all {
		ids[i] = f.id
	}
	return ids
}

// load makes known what a replica holds.
func (n *Node) load(id uint64) error {
	if n.shards.isLoaded(id) {
		return nil
	}
	h, _, err := n.shards.useThere(id)
	if err != nil {
		return err
	}
	n.release(h)
	return nil
}
