package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/internal/certificate"
	"github.com/varvedb/varve/meta"
)

// fullBytes is how little free space is said to be a problem: it is what a
// node needs for compactions and for its log to grow.
const fullBytes = 2 << 30

// listNodes answers GET /nodes.
func (a *Admin) listNodes(ctx context.Context) (any, error) {
	nodes := a.nodes(a.Store.Snapshot())
	fill(nodes, a.ask(ctx))
	return nodes, nil
}

// fill adds what the nodes say of themselves.
func fill(nodes []adminapi.Node, r *reports) {
	for i := range nodes {
		n := &nodes[i]
		said := r.of[n.ID]
		if said == nil {
			n.Error = short(r.failed[n.ID])
			continue
		}
		n.FreeBytes, n.Certificates = said.Free, said.Certificates
		for _, sh := range said.Shards {
			n.Bytes += sh.Bytes
		}
	}
}

// listShards answers GET /shards.
func (a *Admin) listShards(ctx context.Context) (any, error) {
	r := a.ask(ctx)
	return a.shards(a.Store.Snapshot(), r), nil
}

// status answers GET /status.
func (a *Admin) status(ctx context.Context) (any, error) {
	r := a.ask(ctx)
	s := a.Store.Snapshot()
	out := &adminapi.Status{
		Cluster: s.ClusterID(), MetaAvailable: !a.Store.Away(), Nodes: a.nodes(s),
		Weak: []adminapi.Shard{}, Behind: []adminapi.Behind{}, Moves: []adminapi.Move{}, Problems: []string{},
	}
	fill(out.Nodes, r)
	if !out.MetaAvailable {
		problem(out, "the metadata store does not answer: nothing can be created, dropped or moved")
	}
	for i := range out.Nodes {
		nodeProblems(out, &out.Nodes[i])
	}
	groups := map[uint64]bool{}
	for _, sh := range a.shards(s, r) {
		groups[sh.Group] = true
		out.Shards++
		out.Replicas += len(sh.Owners)
		shardProblems(out, &sh)
	}
	out.Groups = len(groups)
	listProblems(out)
	out.Rebalance = a.underWay(s)
	return out, nil
}

// listProblems counts what is wrong with shards: many may have the same trouble.
func listProblems(s *adminapi.Status) {
	unread := 0
	for i := range s.Weak {
		if serving(&s.Weak[i]) == 0 {
			unread++
		}
	}
	if unread > 0 {
		problem(s, "shards without an owner that is alive, whose data cannot be read: %d", unread)
	}
	if n := len(s.Weak); n > 0 {
		problem(s, "shards with fewer owners than they should have: %d", n)
	}
	if n := len(s.Behind); n > 0 {
		problem(s, "replicas that are behind: %d", n)
	}
}

// serving gives the number of owners that can be asked.
func serving(sh *adminapi.Shard) (n int) {
	for i := range sh.Owners {
		if o := &sh.Owners[i]; o.Alive && o.State == string(meta.Active) {
			n++
		}
	}
	return n
}

func problem(s *adminapi.Status, format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

func nodeProblems(s *adminapi.Status, n *adminapi.Node) {
	switch data := n.Has(string(meta.RoleData)); {
	case !n.Alive && s.MetaAvailable:
		problem(s, "node %s is away", n.Name)
	case n.Error != "":
		problem(s, "node %s does not answer: %s", n.Name, n.Error)
	case data && n.FreeBytes < fullBytes:
		problem(s, "node %s has only %d MiB of disk left", n.Name, n.FreeBytes>>20)
	}
	for _, c := range n.Certificates {
		switch left := time.Until(c.Expires); {
		case left <= 0:
			problem(s, "the certificate of node %s for %s expired on %s", n.Name, c.Use, c.Expires.Format(time.DateOnly))
		case left < certificate.Soon:
			problem(s, "the certificate of node %s for %s expires on %s, in %d days", n.Name, c.Use, c.Expires.Format(time.DateOnly), int(left.Hours()/24))
		}
	}
}

// shardProblems looks at one shard, and adds it to the lists that it belongs to.
func shardProblems(s *adminapi.Status, sh *adminapi.Shard) {
	for i := range sh.Owners {
		o := &sh.Owners[i]
		if o.Damage != "" {
			problem(s, "shard %d on node %s is damaged: %s", sh.ID, o.Name, o.Damage)
		}
		if o.State == string(meta.Active) && o.Known && !o.InSync && len(sh.Owners) > 1 {
			s.Behind = append(s.Behind, adminapi.Behind{Shard: sh.ID, Node: o.Name, Batches: o.Behind, Age: o.Age, Doing: o.Doing})
		}
	}
	if sh.Move != nil {
		s.Moves = append(s.Moves, *sh.Move)
	}
	if serving(sh) < max(1, sh.Wanted) {
		s.Weak = append(s.Weak, *sh)
	}
}
