package control

import (
	"cmp"
	"math"
	"slices"

	"github.com/varvedb/varve/meta"
)

// tolerance is how far from the mean the load of a node may be in the end. It
// is half of what is promised, since shards grow while others are moved.
const tolerance = 0.05

// Plan gives the moves that make the nodes equally full, to within 5 % of the
// mean where shards are small enough for that. bytes is the size of one replica
// of each shard; those that are not in it count as the mean of the others, so
// with nil the replicas are counted.
//
// Nodes that are away or draining neither give nor take, and no move puts more
// replicas of a shard into one zone than there were. Only shards whose owners
// are at rest are moved. The order is that in which they should be done: each
// move makes things better.
func Plan(now *meta.Snapshot, bytes map[uint64]int64) []meta.PlannedMove {
	p := newPlanner(now, newSizes(bytes))
	for len(p.moves) < meta.MaxPlannedMoves && p.improve() {
	}
	return p.moves
}

// planner is the loads and owners as they will be after the moves so far.
type planner struct {
	view  *view
	nodes []*nodeView           // that give and take
	has   map[uint64][]*replica // by node, the heaviest first
	moves []meta.PlannedMove
}

type replica struct {
	shard  uint64
	weight float64
	owners []*nodeView // shared by the replicas of the shard
	moved  bool        // a replica goes once at most
}

func newPlanner(now *meta.Snapshot, s sizes) *planner {
	v := &view{now: now, sizes: s, nodes: map[uint64]*nodeView{}}
	v.addNodes()
	p := &planner{view: v, has: map[uint64][]*replica{}}
	for g := range v.shards {
		for i := range g.Shards {
			v.count(&g.Shards[i])
			p.addShard(&g.Shards[i])
		}
	}
	for _, n := range v.nodes {
		if n.takes {
			p.nodes = append(p.nodes, n)
		}
		slices.SortFunc(p.has[n.id], func(a, b *replica) int {
			return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.shard, b.shard))
		})
	}
	return p
}

func (p *planner) addShard(sh *meta.Shard) {
	var owners []*nodeView
	for _, o := range sh.Owners {
		if o.State != meta.Active {
			return
		}
		owners = append(owners, p.view.node(o.Node))
	}
	if p.view.now.Move(sh.ID) != nil {
		return
	}
	w := p.view.sizes.weight(sh.ID)
	for _, n := range owners {
		p.has[n.id] = append(p.has[n.id], &replica{shard: sh.ID, weight: w, owners: owners})
	}
}

// improve adds one move, from as full a node to as empty a one as it can, or
// reports that there is none.
func (p *planner) improve() bool {
	mean := 0.0
	for _, n := range p.nodes {
		mean += n.load / float64(len(p.nodes))
	}
	slices.SortFunc(p.nodes, func(a, b *nodeView) int { return cmp.Or(cmp.Compare(a.load, b.load), cmp.Compare(a.id, b.id)) })
	for i := len(p.nodes) - 1; i >= 0; i-- {
		from := p.nodes[i]
		for _, to := range p.nodes[:i] {
			if from.load <= mean || to.load >= mean || within(from.load, mean) && within(to.load, mean) {
				continue
			}
			if r := p.best(from, to, mean); r != nil {
				p.move(r, from, to)
				return true
			}
		}
	}
	return false
}

func within(load, mean float64) bool { return math.Abs(load-mean) <= tolerance*mean }

// best gives the replica whose move brings two nodes closest to the mean, or nil
// when none brings them closer than they are.
func (p *planner) best(from, to *nodeView, mean float64) (best *replica) {
	off := func(w float64) float64 {
		a, b := from.load-w-mean, to.load+w-mean
		return a*a + b*b
	}
	// By more than rounding, so that the planner ends.
	least := off(0) * (1 - 1e-9)
	for _, r := range p.has[from.id] {
		if r.moved || slices.Contains(r.owners, to) {
			continue
		}
		if o := off(r.weight); o < least && !crowds(r.owners, from, to) {
			best, least = r, o
		}
	}
	return best
}

// crowds reports whether the move would put to into a zone with more of the
// other owners than from is with.
func crowds(owners []*nodeView, from, to *nodeView) bool {
	others := slices.DeleteFunc(slices.Clone(owners), func(n *nodeView) bool { return n == from })
	return sameZone(to, others) > sameZone(from, others)
}

func (p *planner) move(r *replica, from, to *nodeView) {
	r.moved = true
	from.load -= r.weight
	to.load += r.weight
	// In place: all replicas of the shard share it. A shard has one move at a
	// time, but a plan may hold several of them.
	r.owners[slices.Index(r.owners, from)] = to
	p.moves = append(p.moves, meta.PlannedMove{Shard: r.shard, From: from.id, To: to.id, Bytes: p.view.sizes.bytes[r.shard]})
}
