package meta

import (
	"cmp"
	"slices"

	"github.com/varvedb/varve/model"
)

// shardCount gives n/gcd(n, factor) for the n nodes of a new group: as few
// shards as give every node the same load.
func shardCount(now *Snapshot, p *Policy) uint64 {
	n := len(groupNodes(now))
	if n == 0 {
		return 1
	}
	a, b := n, min(now.Factor(p), n)
	for b != 0 {
		a, b = b, a%b
	}
	return uint64(n / a)
}

// place gives the shards of a new group their owners: one node after the
// other, beginning with another one for each group.
func place(now *Snapshot, p *Policy, ids reservedIDs) ([]Shard, error) {
	nodes := spread(groupNodes(now))
	if len(nodes) == 0 {
		return nil, &model.Error{Kind: model.ErrUnavailable, Text: "no data node is registered"}
	}
	shards := make([]Shard, min(shardCount(now, p), ids.n-1))
	at := int(ids.first % uint64(len(nodes)))
	for i := range shards {
		shards[i] = Shard{ID: ids.first + 1 + uint64(i), Revision: 1}
		for range min(now.Factor(p), len(nodes)) {
			shards[i].Owners = append(shards[i].Owners, Owner{Node: nodes[at%len(nodes)].ID, State: Active})
			at++
		}
	}
	return shards, nil
}

// groupNodes gives the data nodes that are to keep a new group: those that are
// alive and stay; when there is none those that stay; when there is none of
// them either, all.
func groupNodes(now *Snapshot) []*Node {
	var all, stay, alive []*Node
	for _, n := range now.nodes {
		if !n.Has(RoleData) {
			continue
		}
		all = append(all, &n.Node)
		if n.TakesData() {
			stay = append(stay, &n.Node)
			if now.Alive(n.ID) {
				alive = append(alive, &n.Node)
			}
		}
	}
	switch {
	case len(alive) > 0:
		return alive
	case len(stay) > 0:
		return stay
	}
	return all
}

// spread orders nodes in a circle so that any two of one zone are as far apart
// as possible: rf nodes in a row are then in rf zones, if the zones allow that.
// Nodes without a zone are each one of their own.
//
// With m nodes in the largest zone, the nodes sorted by the size of their zone
// are written into m rows, column by column, and read row by row. A zone, no
// larger than a column, then comes back after a whole row at the earliest, also
// from the last row to the first, and a row has at least ⌊n/m⌋ nodes. No order
// can do better, since m nodes share a circle of n places.
func spread(nodes []*Node) []*Node {
	size := map[string]int{}
	for _, n := range nodes {
		size[n.Labels[LabelZone]]++
	}
	delete(size, "") // each of them stands alone
	rank := func(n *Node) int { return max(1, size[n.Labels[LabelZone]]) }
	sorted := slices.SortedFunc(slices.Values(nodes), func(a, b *Node) int {
		return cmp.Or(cmp.Compare(rank(b), rank(a)), cmp.Compare(a.Labels[LabelZone], b.Labels[LabelZone]), cmp.Compare(a.ID, b.ID))
	})
	if len(sorted) == 0 {
		return nil
	}
	rows := rank(sorted[0])
	order := make([]*Node, 0, len(sorted))
	for row := range rows {
		for i := row; i < len(sorted); i += rows {
			order = append(order, sorted[i])
		}
	}
	return order
}

// Wanted gives how many owners a shard of a live group is to have now: the
// replication factor of its policy as far as there are nodes that take data, or
// more when CopyShard asked for more; 0 for a shard that is not there.
func (s *Snapshot) Wanted(shardID uint64) int {
	g, sh := s.Shard(shardID)
	if sh == nil || !g.Live() {
		return 0
	}
	_, p := s.Policy(g.Policy)
	if p == nil {
		return 0
	}
	takers := 0
	for _, n := range s.nodes {
		if n.TakesData() {
			takers++
		}
	}
	return max(1, min(max(s.Factor(p), s.copies(shardID)), takers))
}
