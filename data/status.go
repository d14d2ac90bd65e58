package data

import (
	"context"
	"slices"
	"time"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/tsm"
)

// ShardStatus is what is known of one replica of a node.
type ShardStatus struct {
	Shard  ShardRef
	State  meta.OwnerState // "" when this node is no owner, and is to remove it
	InSync bool            // it may answer reads
	Doing  string          // what is being done with it, for people; or ""
	Damage string          // why it must be copied anew; or ""
	Open   bool
	Info   tsm.Info       // when it is open
	Lags   []replica.Lag  // how far it is behind the others
	Owed   []replica.Debt // how far the others are behind it
}

// ShardStatus gives the state of all replicas of this node, by id.
func (n *Node) ShardStatus(ctx context.Context) []ShardStatus {
	infos := make(map[uint64]tsm.Info)
	for h, shard := range n.shards.useOpen() {
		infos[h.id] = shard.Info()
		n.release(h)
	}
	s := n.follow()
	ids := append(n.owned(), n.shards.ids()...)
	slices.Sort(ids)
	now := n.lately()
	var all []ShardStatus
	for _, id := range slices.Compact(ids) {
		g, sh := s.Shard(id)
		if ctx.Err() != nil {
			break
		}
		if sh == nil || !g.Live() {
			continue
		}
		st := ShardStatus{Shard: refOf(g, sh), State: n.stateIn(sh), Lags: n.core.Lags(now, id), Owed: n.core.Owed(now, id, nil)}
		_, st.InSync = n.core.InSync(now, id)
		st.Info, st.Open = infos[id]
		if why := n.doubtOf(id); why != nil {
			st.Damage = why.Error()
		}
		if st.State != meta.Active || st.Damage != "" {
			n.moves.Lock()
			st.Doing = n.moves.states[id]
			n.moves.Unlock()
		}
		all = append(all, st)
	}
	return all
}

// replicas is the sum of what is known of the replicas that have other owners.
type replicas struct {
	behind  int
	missing uint64
	age     time.Duration
	log     int64
}

// replicasFor is how long a sum serves the metrics: several are asked for at once.
const replicasFor = time.Second

func (n *Node) replicas() replicas {
	n.sums.Lock()
	defer n.sums.Unlock()
	if n.sums.known && time.Since(n.sums.at) < replicasFor {
		return n.sums.replicas
	}
	var r replicas
	now := n.lately()
	s := n.follow()
	for _, id := range n.owned() {
		_, sh := s.Shard(id)
		if sh == nil || len(sh.Owners) < 2 {
			continue
		}
		if _, ok := n.core.InSync(now, id); !ok && serves(n.stateIn(sh)) {
			r.behind++
		}
		for _, l := range n.core.Lags(now, id) {
			r.missing += l.Batches
			r.age = max(r.age, l.Age)
		}
	}
	for h, shard := range n.shards.useOpen() {
		r.log += shard.Info().LogBytes
		n.release(h)
	}
	n.sums.replicas, n.sums.at, n.sums.known = r, time.Now(), true
	return r
}
