package sim

import (
	"fmt"
	"slices"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/tsm"
)

// unsettled says what is still to be done in a cluster without faults.
func (w *world) unsettled() string {
	for _, m := range w.machines {
		if m.proc == nil || m.proc.core == nil {
			return fmt.Sprintf("%v has not started", m)
		}
		if m.view != w.meta.state {
			return fmt.Sprintf("%v does not know the metadata", m)
		}
	}
	for i := range w.meta.state.shards {
		if why := w.shardUnsettled(&w.meta.state.shards[i]); why != "" {
			return why
		}
	}
	return ""
}

func (w *world) shardUnsettled(s *metaShard) string {
	for _, m := range w.machines {
		if m.durable[s.id] != nil && (s.dropped || s.owner(m.proc.node) == nil) {
			return fmt.Sprintf("%v still has a directory of %v", m, s)
		}
	}
	if s.dropped {
		return ""
	}
	if len(s.owners) != s.count(replica.Active) || len(s.owners) < s.factor {
		return fmt.Sprintf("owners of %v, which has factor %d%s", s, s.factor, w.lags(s))
	}
	first := w.machineOf(s.owners[0].node).proc
	for _, o := range s.owners {
		p := w.machineOf(o.node).proc
		r := p.shards[s.id]
		if r == nil || r.shard == nil || r.busy {
			return fmt.Sprintf("%v: not open at node %d", s, o.node)
		}
		if missing, ok := p.core.InSync(p.time(), s.id); !ok {
			return fmt.Sprintf("%v: node %d is not in sync with %v%s", s, o.node, missing, w.lags(s))
		}
		if !p.core.Applied(s.id).Equal(first.core.Applied(s.id)) {
			return fmt.Sprintf("%v: node %d and node %d hold different batches%s", s, o.node, first.node, w.lags(s))
		}
	}
	return ""
}

// compare holds the content of all replicas against one another and the model.
func (w *world) compare() {
	for i := range w.meta.state.shards {
		s := &w.meta.state.shards[i]
		if s.dropped || w.failed() {
			continue
		}
		var first *tsm.Digest
		for _, o := range s.owners {
			p := w.machineOf(o.node).proc
			r := p.shards[s.id]
			var err error
			switch w.rng.IntN(3) {
			case 0:
				err = r.shard.Flush(w.ctx)
			case 1:
				err = r.shard.Compact(w.ctx)
			}
			if err != nil {
				w.failf("MAINTAIN", "node %d: shard %d: %v", o.node, s.id, err)
			}
			w.checkContent(p, r)
			w.checkComplete(p, r)
			d, err := r.shard.Digest(w.ctx)
			if err != nil {
				w.failf("DIGEST", "node %d: shard %d: %v", o.node, s.id, err)
				return
			}
			switch {
			case first == nil:
				first = &d
			case !d.Applied.Equal(first.Applied) || d.Hash != first.Hash || d.Rows != first.Rows:
				w.failf("DIGEST", "shard %d: node %d has %d rows, %x, node %d %d, %x", s.id, o.node, d.Rows, d.Hash, s.owners[0].node, first.Rows, first.Hash)
			}
		}
	}
}

// checkComplete finds every acknowledged write in a replica.
func (w *world) checkComplete(p *process, r *replicaOf) {
	if w.failed() {
		return
	}
	got, set, err := p.read(r)
	if err != nil {
		w.failf("READ", "node %d: shard %d: %v", p.node, r.id, err)
		return
	}
	h := w.history(r.id)
	for _, wr := range h.writes {
		if !wr.acked || wr.forgiven != "" {
			continue
		}
		if !slices.ContainsFunc(wr.ids, set.Contains) {
			w.failf("LOST", "node %d: shard %d: write %d, acknowledged at %v, is gone", p.node, r.id, wr.number, wr.ackedAt)
			return
		}
		if err := h.visible(wr, got); err != nil {
			w.failf("LOST", "node %d: shard %d: write %d, acknowledged at %v: %v", p.node, r.id, wr.number, wr.ackedAt, err)
			return
		}
	}
}

// lags says how the owners of a shard see one another.
func (w *world) lags(s *metaShard) string {
	text := ""
	for _, o := range s.owners {
		p := w.machineOf(o.node).proc
		text += fmt.Sprintf("; node %d, clock %v, caught up %v, lost %v:", o.node,
			p.time().HLC.Time().Sub(epoch.Add(w.now)), p.core.CaughtUp(p.time(), s.id), p.core.Lost(s.id))
		for _, l := range p.core.Lags(p.time(), s.id) {
			text += fmt.Sprintf(" %+v", l)
		}
	}
	return text
}
