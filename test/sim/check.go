package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/varvedb/varve/coordinator/fanout"
	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/model"
)

// readBound is how old an acknowledged row must be for every read to have it.
const readBound = 5 * time.Second

// checkContent holds a replica against the set of batches that it says it has.
func (w *world) checkContent(p *process, r *replicaOf) {
	if p.m.disk.left != nil || r.shard == nil || w.failed() {
		return
	}
	got, set, err := p.read(r)
	if err != nil {
		w.failf("READ", "node %d: shard %d: %v", p.node, r.id, err)
		return
	}
	h := w.history(r.id)
	if err := h.checkIssued(set); err != nil {
		w.failf("ISSUED", "node %d: shard %d: %v", p.node, r.id, err)
		return
	}
	want := h.of(set)
	for cell := range got {
		if got[cell] != want[cell] {
			w.failf("CONTENT", "node %d: shard %d: %s is %d, by the set of its batches %d", p.node, r.id, cellName(cell), got[cell], want[cell])
			return
		}
	}
	w.checkApplied(p, r)
	w.checkPullable(p, r)
	w.stats.Contents++
}

// checkApplied holds what the state machine takes for durable against the disk.
func (w *world) checkApplied(p *process, r *replicaOf) {
	if set := p.core.Applied(r.id); !w.durable(p.m, r.id).ContainsAll(set) {
		w.failf("APPLIED", "node %d: shard %d: says that it holds %x, which is not durable", p.node, r.id, set.Minus(w.durable(p.m, r.id)).Append(nil))
	}
}

// checkTold holds what a node says against its disk.
func (w *world) checkTold(p *process, m *replica.Message) {
	for _, st := range m.Statements {
		if !w.durable(p.m, st.Shard).ContainsAll(st.Set) {
			w.failf("APPLIED", "node %d: shard %d: tells of %x, which is not durable", p.node, st.Shard, st.Set.Minus(w.durable(p.m, st.Shard)).Append(nil))
		}
	}
}

func (w *world) durable(m *machine, shard uint64) *model.BatchSet {
	if set := m.durable[shard]; set != nil {
		return set
	}
	return &model.BatchSet{}
}

// checkArrival holds a batch that is taken against the frontier.
func (w *world) checkArrival(p *process, r *replicaOf, b *model.Batch) {
	if frontier := p.core.Frontier(p.time(), r.id); b.Version.HLC < frontier {
		w.failf("FRONTIER", "node %d: shard %d: takes %v below its frontier %d", p.node, r.id, b.Version, frontier)
	}
	i := w.history(r.id).byID[b.ID]
	if i == nil || i.version != b.Version {
		w.failf("ISSUED", "node %d: shard %d: takes %v, which nobody made", p.node, r.id, b.Version)
	}
}

// checkOpened holds what is found on a disk against what was put there.
func (w *world) checkOpened(p *process, r *replicaOf, applied *model.BatchSet, recent []model.Version) {
	if p.m.disk.left != nil {
		return
	}
	if before := w.durable(p.m, r.id); !applied.ContainsAll(before) {
		w.failf("DURABLE", "node %d: shard %d: a restart has lost %x", p.node, r.id, before.Minus(applied).Append(nil))
	}
	p.m.durable[r.id] = applied.Clone()
	h := w.history(r.id)
	for _, v := range recent {
		if i := h.byID[v.ID]; i == nil || i.version != v {
			w.failf("ISSUED", "node %d: shard %d: has %v in its log, which nobody made", p.node, r.id, v)
		}
	}
}

// checkPullable finds what an owner lacks in the log of another.
func (w *world) checkPullable(p *process, r *replicaOf) {
	s := w.meta.state.shard(r.id)
	if s.dropped {
		return
	}
	all := &model.BatchSet{}
	for _, m := range w.machines {
		all.AddAll(w.durable(m, r.id))
	}
	lacked := &model.BatchSet{}
	for _, o := range s.owners {
		if m := w.machineOf(o.node); m != nil && o.state != replica.Rebuild && m.durable[r.id] != nil {
			lacked.AddAll(all.Minus(m.durable[r.id]))
		}
	}
	// A copy has what its source had, but not the log. When the source has gone,
	// with its disk or because it was marked, others may have to be copied anew.
	if lacked = lacked.Minus(&w.history(r.id).gone); lacked.Empty() {
		return
	}
	trimmed, err := r.shard.Fetch(w.ctx, lacked, func(*model.Batch) error { return nil })
	if err != nil {
		w.failf("FETCH", "node %d: shard %d: %v", p.node, r.id, err)
		return
	}
	p.m.trimmed[r.id] = trimmed
	for _, m := range w.machines {
		has := lacked.Intersect(w.durable(m, r.id))
		if t := m.trimmed[r.id]; t != nil {
			has = has.Minus(t)
		}
		lacked = lacked.Minus(has)
	}
	if !lacked.Empty() {
		w.failf("PULLABLE", "shard %d: an owner lacks %x, which is in no log any more (seen at node %d)", r.id, lacked.Append(nil), p.node)
	}
}

// checkRead holds an answer against what was acknowledged before it was asked for.
func (w *world) checkRead(p *process, r *replicaOf, began time.Duration, level fanout.Level) {
	w.checkContent(p, r)
	if w.failed() || p.m.disk.left != nil {
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
		if level == fanout.Quorum {
			// A replica that was made while only dead owners had it may not have it.
			if wr.ackedAt >= began || wr.displaced && wr.hiddenAt > 0 || wr.level != fanout.Quorum && wr.level != fanout.All {
				continue
			}
		} else if max(wr.ackedAt, wr.hiddenAt) >= began-readBound || !wr.sane {
			continue
		}
		if !slices.ContainsFunc(wr.ids, set.Contains) {
			w.failf("READ", "node %d: shard %d: a read at %v that began at %v misses write %d, acknowledged at %v at %v",
				p.node, r.id, levelName(level), began, wr.number, wr.ackedAt, levelName(wr.level))
			return
		}
		if err := h.visible(wr, got); err != nil {
			w.failf("READ", "node %d: shard %d: a read at %v that began at %v: write %d, acknowledged at %v: %v",
				p.node, r.id, levelName(level), began, wr.number, wr.ackedAt, err)
			return
		}
	}
}

// checkConfirmed finds that an owner goes only when all that stay know it.
func (w *world) checkConfirmed(s *metaShard, leaver uint64) {
	for _, o := range s.owners {
		m := w.machineOf(o.node)
		if o.state != replica.Active || m == nil || m.view == nil {
			continue
		}
		if knows := m.view.shard(s.id); knows == nil || knows.revision < s.revision {
			w.failf("CONFIRMED", "shard %d: node %d leaves, but node %d has not heard of that", s.id, leaver, o.node)
		}
	}
}

// watchHidden notes of which writes no owner that holds them is alive: reads
// need not have those, which is how long a promise lasts to who does not read
// at quorum. It takes a while until one that is alive again is met by all.
func (w *world) watchHidden() {
	for _, id := range w.current {
		s := w.meta.state.shard(id)
		for _, wr := range w.history(id).writes {
			if wr.acked && wr.forgiven == "" && !w.servedAlive(s, wr) {
				wr.hiddenAt = w.now
			}
		}
	}
}

// servedAlive reports whether an owner that serves and has a lease holds a write.
func (w *world) servedAlive(s *metaShard, wr *write) bool {
	for _, o := range s.owners {
		if o.state != replica.Active && o.state != replica.Leaving {
			continue
		}
		n := w.meta.state.node(o.node)
		if n != nil && n.alive && slices.ContainsFunc(wr.ids, w.durable(w.machines[n.machine-1], wr.shard).Contains) {
			return true
		}
	}
	return false
}

// visible reports, from the values alone, whether an answer takes a write into
// account.
func (h *history) visible(wr *write, got *content) error {
	v := h.byID[wr.holder].version
	for _, put := range wr.change.puts {
		if err := h.notOlder(put.cell, got[put.cell], v); err != nil {
			return err
		}
	}
	if wr.change.deletes {
		for cell, covered := range wr.change.covers {
			if covered && got[cell] != 0 {
				if err := h.notOlder(cell, got[cell], v); err != nil {
					return fmt.Errorf("deleted, but %w", err)
				}
			}
		}
	}
	return nil
}

// notOlder reports whether a cell has a value of a version that is not below v,
// or none because of a delete above it.
func (h *history) notOlder(cell int, value uint64, v model.Version) error {
	if value == 0 {
		for _, i := range h.order {
			if i.change.deletes && i.change.covers[cell] && v.Less(i.version) {
				return nil
			}
		}
		return fmt.Errorf("%s has no value", cellName(cell))
	}
	for _, i := range h.cells[cell] {
		if slices.Contains(i.change.puts, put{cell, value}) && !i.version.Less(v) {
			return nil
		}
	}
	return fmt.Errorf("%s is %d, which is older", cellName(cell), value)
}

func levelName(l fanout.Level) string {
	switch l {
	case fanout.Any:
		return "any"
	case fanout.One:
		return "one"
	case fanout.Quorum:
		return "quorum"
	case fanout.All:
		return "all"
	}
	return "default"
}

// acknowledged notes that a client was told that its write is stored.
func (w *world) acknowledged(wr *write, id model.BatchID, needed int) {
	wr.acked, wr.ackedAt, wr.holder, wr.needed = true, w.now, id, needed
	w.stats.Acks++
	w.tracef("write %d acknowledged", wr.number)
	if w.shardDropped(wr.shard) {
		return
	}
	n := len(w.holders(wr))
	if n == 0 && (wr.lost >= needed || wr.handed > 0) {
		wr.forgiven = "gone before it was acknowledged"
	}
	if n+wr.lost+wr.handed < needed {
		w.failf("DURABLE", "write %d of shard %d is acknowledged at %v, but durable on %d disks, not %d", wr.number, wr.shard, levelName(wr.level), n, needed)
	}
}

func (w *world) shardDropped(id uint64) bool {
	s := w.meta.state.shard(id)
	return s == nil || s.dropped
}

// holders gives the machines on whose disks a write is.
func (w *world) holders(wr *write) []*machine {
	var all []*machine
	for _, m := range w.machines {
		if set := m.durable[wr.shard]; set != nil && slices.ContainsFunc(wr.ids, set.Contains) {
			all = append(all, m)
		}
	}
	return all
}

// diskLost follows the loss of a disk with set of a shard.
func (w *world) diskLost(shard uint64, set *model.BatchSet) {
	w.history(shard).gone.AddAll(set)
	w.copyGone(shard, set, func(wr *write) {
		wr.lost++
		wr.displaced = true
		if len(w.holders(wr)) > 0 || !wr.acked {
			return
		}
		if wr.lost < wr.needed {
			w.failf("DURABLE", "write %d of shard %d, acknowledged by %d disks, is gone with %d", wr.number, shard, wr.needed, wr.lost)
		}
		wr.forgiven = "its disks are lost"
	})
}

// dirRemoved follows the removal of a replica's directory with set.
func (w *world) dirRemoved(p *process, shard uint64, set *model.BatchSet) {
	if set != nil {
		w.history(shard).gone.AddAll(set)
	}
	w.copyGone(shard, set, func(wr *write) {
		if !wr.acked {
			wr.handed++ // counts as a copy all the same: what others lacked of it was offered
		}
		switch {
		case len(w.holders(wr)) > 0:
		case wr.handed > 0:
			wr.forgiven = "handed over"
		case wr.acked:
			w.failf("DURABLE", "write %d of shard %d is gone with the directory at node %d", wr.number, shard, p.node)
		}
	})
}

// copyGone calls f with the writes of a set.
func (w *world) copyGone(shard uint64, set *model.BatchSet, f func(wr *write)) {
	if set == nil || w.shardDropped(shard) {
		return
	}
	for _, wr := range w.history(shard).writes {
		if wr.forgiven == "" && slices.ContainsFunc(wr.ids, set.Contains) {
			f(wr)
		}
	}
}

// ownerRemoved follows that an owner was taken out that did not go by itself:
// what it holds may not be found by readers until it is back.
func (w *world) ownerRemoved(shard, node uint64) {
	if m := w.machineOf(node); m != nil {
		w.copyGone(shard, m.durable[shard], func(wr *write) { wr.displaced = true })
	}
}

// handedOver follows that an owner has what was lacking of a batch.
func (w *world) handedOver(shard uint64, id model.BatchID) {
	i := w.history(shard).byID[id]
	if i == nil {
		return
	}
	i.write.handed++
}
