package control

import (
	"cmp"
	"slices"
	"time"

	"github.com/varvedb/varve/meta"
)

// giveUpAfter is how long the node that a shard is copied to may be absent
// before another is chosen. It is longer than a machine takes to start, and
// shorter than Config.ReplaceAfter, since nothing is lost with half a copy.
const giveUpAfter = 5 * time.Minute

// watchFor is how long this process must have seen a node absent by itself,
// however long ago that was noted: when the metadata store comes back after
// hours, nodes need a moment to say that they are alive.
const watchFor = time.Minute

// view is the cluster at one moment, with what is decided about it.
type view struct {
	now   *meta.Snapshot
	at    time.Time
	cfg   Config
	sizes sizes
	nodes map[uint64]*nodeView

	copying  int             // moves under way that copy, those just decided included
	retiring int             // moves under way without a copy
	busy     map[uint64]bool // shards with a step just decided
}

// nodeView is a data node, or one that is an owner and not there any more.
type nodeView struct {
	id     uint64
	zone   string
	alive  bool
	takes  bool          // it may get replicas: it is alive and stays
	drains bool          // it is to be emptied
	away   time.Duration // how long it has not been alive
	gone   bool          // for so long that its replicas are replaced

	joins int     // replicas that are being copied to it
	load  float64 // weight of its replicas, also of those that are coming
}

// look makes the view. absentHere gives since when this process has seen a node
// absent.
func look(now *meta.Snapshot, at time.Time, cfg Config, sizes sizes, absentHere map[uint64]time.Time) *view {
	v := &view{now: now, at: at, cfg: cfg, sizes: sizes, nodes: map[uint64]*nodeView{}, busy: map[uint64]bool{}}
	v.addNodes()
	for g := range v.shards {
		for i := range g.Shards {
			v.count(&g.Shards[i])
		}
	}
	for _, n := range v.nodes {
		since, noted := now.AbsentSince(n.id)
		here, seen := absentHere[n.id]
		if n.alive || !noted || !seen {
			continue
		}
		n.away = at.Sub(since)
		n.gone = n.away >= cfg.ReplaceAfter && at.Sub(here) >= min(watchFor, cfg.ReplaceAfter)
	}
	return v
}

func (v *view) addNodes() {
	for _, n := range v.now.Nodes() {
		if n.Has(meta.RoleData) {
			alive := v.now.Alive(n.ID)
			v.nodes[n.ID] = &nodeView{
				id: n.ID, zone: n.Labels[meta.LabelZone], alive: alive,
				takes: alive && n.TakesData(), drains: n.Draining,
			}
		}
	}
}

// patience is how long a node may be absent that others wait for, though nothing
// is lost without it.
func (v *view) patience() time.Duration { return min(giveUpAfter, v.cfg.ReplaceAfter) }

// shards calls yield with every group whose shards matter.
func (v *view) shards(yield func(*meta.ShardGroup) bool) {
	for g := range v.now.AllGroups {
		if g.Live() && !yield(g) {
			return
		}
	}
}

// count adds the replicas of a shard to the nodes that have them.
func (v *view) count(sh *meta.Shard) {
	for _, o := range sh.Owners {
		n := v.node(o.Node)
		if o.State == meta.Joining && n.alive {
			n.joins++
		}
		if o.State != meta.Leaving && o.Node != v.leaver(sh) {
			n.load += v.sizes.weight(sh.ID)
		}
	}
	switch m := v.now.Move(sh.ID); {
	case m == nil:
	case m.To == 0:
		v.retiring++
	case v.state(sh, m.To) == meta.Joining && v.node(m.To).alive:
		// One whose node is away takes no bandwidth, and must not stop the
		// others; nor one that has only to be left by its old owner.
		v.copying++
	}
}

// leaver gives the owner that a move is about to take away, or 0.
func (v *view) leaver(sh *meta.Shard) uint64 {
	if m := v.now.Move(sh.ID); m != nil {
		return m.From
	}
	return 0
}

// node gives the view of a node. One that is not registered is neither alive
// nor does it take anything.
func (v *view) node(id uint64) *nodeView {
	n := v.nodes[id]
	if n == nil {
		n = &nodeView{id: id}
		v.nodes[id] = n
	}
	return n
}

func (v *view) state(sh *meta.Shard, node uint64) meta.OwnerState {
	for _, o := range sh.Owners {
		if o.Node == node {
			return o.State
		}
	}
	return ""
}

// choose gives the node that a replica of a shard is best copied to, or nil
// when there is none now. stay are the owners that remain. A node in a zone of
// its own is worth waiting for, so only among the nodes that share a zone with
// the fewest of stay one is taken: with the least load, of those to which not
// too much is being copied.
func (v *view) choose(sh *meta.Shard, stay []*nodeView) *nodeView {
	var best []*nodeView
	least := -1
	for _, n := range v.nodes {
		if !n.takes || v.state(sh, n.id) != "" {
			continue
		}
		switch same := sameZone(n, stay); {
		case least < 0 || same < least:
			best, least = append(best[:0], n), same
		case same == least:
			best = append(best, n)
		}
	}
	best = slices.DeleteFunc(best, func(n *nodeView) bool { return n.joins >= v.cfg.MovesPerNode })
	if len(best) == 0 || v.copying >= v.cfg.MovesAtOnce {
		return nil
	}
	return slices.MinFunc(best, func(a, b *nodeView) int { return cmp.Or(cmp.Compare(a.load, b.load), cmp.Compare(a.id, b.id)) })
}

// sameZone counts the nodes that are in the zone of n.
func sameZone(n *nodeView, others []*nodeView) (same int) {
	for _, o := range others {
		if n.zone != "" && o.zone == n.zone && o.id != n.id {
			same++
		}
	}
	return same
}
