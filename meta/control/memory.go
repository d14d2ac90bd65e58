package control

import (
	"context"
	"time"

	"github.com/varvedb/varve/meta"
)

// memory is what a Controller knows beside the metadata. Losing it costs time
// and log lines, nothing else.
type memory struct {
	absentHere map[uint64]time.Time // since when this process has seen a node absent
	moves      map[uint64]*meta.Move
	told       map[uint64]bool // nodes whose draining has ended, which was logged

	sizes    sizes
	measured time.Time
}

// noteAbsences notes which nodes are not alive, so that another controller need
// not wait for them anew. Owners whose node is not registered are among them.
// It reports whether to go on.
func (c *Controller) noteAbsences(ctx context.Context, now *meta.Snapshot, at time.Time) bool {
	absent := map[uint64]time.Time{}
	see := func(node uint64) {
		if now.Alive(node) {
			return
		}
		absent[node] = at
		if since, ok := c.memory.absentHere[node]; ok {
			absent[node] = since
		}
	}
	for _, n := range now.Nodes() {
		if n.Has(meta.RoleData) {
			see(n.ID)
		}
	}
	for g := range now.AllGroups {
		for _, sh := range g.Shards {
			for _, o := range sh.Owners {
				if g.Live() {
					see(o.Node)
				}
			}
		}
	}
	c.memory.absentHere = absent
	for node := range absent {
		if _, noted := now.AbsentSince(node); noted {
			continue
		}
		err := c.store.NoteAbsent(ctx, c.lease.Fence(), node, at)
		if !c.done(ctx, err, c.metrics.absences, "a data node is away", "node", node, "name", nodeName(now, node), "replaced_after", c.cfg.ReplaceAfter) {
			return false
		}
	}
	for _, node := range now.Absent() {
		if _, still := absent[node]; still {
			continue
		}
		err := c.store.NotePresent(ctx, c.lease.Fence(), node)
		if !c.done(ctx, err, c.metrics.returns, "a data node is back, or gone for good", "node", node, "name", nodeName(now, node)) {
			return false
		}
	}
	return true
}

// observe tells of moves that have ended and of nodes that are empty, since
// those who ended them are other nodes.
func (c *Controller) observe(now *meta.Snapshot, at time.Time) {
	moves := map[uint64]*meta.Move{}
	oldest := time.Duration(0)
	for _, m := range now.Moves() {
		moves[m.Shard] = m
		oldest = max(oldest, at.Sub(m.Started))
	}
	for shard, m := range c.memory.moves {
		if next := moves[shard]; next != nil && next.Started.Equal(m.Started) {
			continue
		}
		facts := []any{"shard", shard, "to", m.To, "from", m.From, "why", m.Why, "took", at.Sub(m.Started)}
		if finished(now, m) {
			c.metrics.finished.WithLabelValues(string(m.Why)).Inc()
			c.log.Info("moved a shard", facts...)
		} else {
			c.metrics.givenUp.WithLabelValues(string(m.Why)).Inc()
			c.log.Info("gave up moving a shard", facts...)
		}
	}
	c.memory.moves = moves
	c.metrics.moving.Set(float64(len(moves)))
	c.metrics.oldest.Set(oldest.Seconds())
	c.tellDrained(now)
}

// finished reports whether a move that is no longer in progress came to its end.
func finished(now *meta.Snapshot, m *meta.Move) bool {
	_, sh := now.Shard(m.Shard)
	if sh == nil {
		return false
	}
	active := m.To == 0
	for _, o := range sh.Owners {
		if o.Node == m.From {
			return false
		}
		active = active || o.Node == m.To && o.State == meta.Active
	}
	return active
}

func (c *Controller) tellDrained(now *meta.Snapshot) {
	owns := map[uint64]bool{}
	for g := range now.AllGroups {
		for _, sh := range g.Shards {
			for _, o := range sh.Owners {
				owns[o.Node] = owns[o.Node] || g.Live()
			}
		}
	}
	told := map[uint64]bool{}
	for _, n := range now.Nodes() {
		if !n.Draining || owns[n.ID] {
			continue
		}
		told[n.ID] = true
		if !c.memory.told[n.ID] {
			c.log.Info("a node is drained and may be removed", "node", n.ID, "name", n.Name)
		}
	}
	c.memory.told = told
}

func nodeName(now *meta.Snapshot, id uint64) string {
	if n := now.Node(id); n != nil {
		return n.Name
	}
	return ""
}
