package sim

import (
	"errors"
	"slices"
	"time"

	"github.com/varvedb/varve/coordinator/fanout"
	"github.com/varvedb/varve/model"
)

// writeTimeout ends a write that has not met its level.
const writeTimeout = 5 * time.Second

// writing is a batch on its way to its owners.
type writing struct {
	p     *process
	w     *write
	batch *model.Batch // stamped; never changed, a new stamp is on a copy
	shard uint64
	// revision is that of the owners that are sent to.
	revision uint64
	fan      *fanout.Write
	done     func(err error)
	over     bool
}

var errNotMet = errors.New("level not met")

// write sends a batch to the owners of its shard.
func (p *process) write(w *write, b *model.Batch, done func(error)) {
	w.began = p.w.now
	s := p.m.view.shard(w.shard)
	if s == nil || s.dropped {
		done(model.ErrNotFound)
		return
	}
	if err := p.core.ClockOff(p.time()); err != nil {
		done(err)
		return
	}
	wr := &writing{p: p, w: w, batch: b, shard: w.shard, done: done}
	if !wr.stamp() {
		return
	}
	wr.revision = s.revision
	fan, effects := fanout.New(p.node, fanOwners(s), w.level)
	wr.fan = fan
	p.after(writeTimeout, func() { wr.finish(errNoAnswer) })
	wr.perform(effects)
}

func fanOwners(s *metaShard) []fanout.Owner {
	var all []fanout.Owner
	for _, o := range s.owners {
		all = append(all, fanout.Owner{Node: o.node, State: fanout.State(o.state), Replaces: o.replaces})
	}
	return all
}

// stamp gives the batch a new id and version.
func (wr *writing) stamp() bool {
	p := wr.p
	h, err := p.hlc.Now()
	if err != nil {
		return false
	}
	p.seqs[wr.shard]++
	b := *wr.batch
	b.ID = model.BatchID{Origin: p.node, Epoch: p.epoch, Seq: p.seqs[wr.shard]}
	b.Version = model.Version{HLC: h, ID: b.ID}
	wr.batch = &b
	wr.w.sane = h.Time().Sub(epoch.Add(p.w.now)).Abs() < saneClock
	if on := p.w.holders(wr.w); len(on) > 0 {
		p.w.failf("STAMPED", "write %d of shard %d is stamped anew, but %v holds it", wr.w.number, wr.shard, on[0])
	}
	p.w.tracef("node %d: write %d of shard %d at %v is %v", p.node, wr.w.number, wr.shard, wr.w.level, b.Version)
	if err := p.w.history(wr.shard).stamp(wr.w, b.Version); err != nil {
		p.w.failf("STAMP", "shard %d: %v", wr.shard, err)
		return false
	}
	return true
}

// saneClock is how far a clock may be off for what it stamps to be promised
// anything in time: two such are within the fence of each other.
const saneClock = 250 * time.Millisecond

// perform does what the fan-out asks for.
func (wr *writing) perform(e fanout.Effects) {
	if e.Restamp {
		wr.p.w.stats.Restamps++
		if !wr.stamp() {
			return
		}
	}
	for _, s := range e.Sends {
		wr.send(s)
	}
	if e.Refresh {
		wr.p.after(time.Duration(wr.p.w.rng.Int64N(int64(300*time.Millisecond))), wr.refresh)
	}
	switch wr.fan.Verdict() {
	case fanout.Met:
		wr.finish(nil)
	case fanout.Failed, fanout.Park:
		wr.finish(errNotMet)
	}
}

// refresh reads the metadata, as new as can be had.
func (wr *writing) refresh() {
	var err error
	s := wr.p.m.view.shard(wr.shard)
	if wr.p.w.meta.answers(wr.p.m.number) {
		s = wr.p.w.meta.state.shard(wr.shard)
	}
	if s == nil || s.dropped {
		err = model.ErrNotFound
		wr.perform(wr.fan.Owners(nil, err))
		return
	}
	wr.revision = s.revision
	wr.perform(wr.fan.Owners(fanOwners(s), nil))
}

// send carries the batch to one owner and its answer back.
func (wr *writing) send(s fanout.Send) {
	p := wr.p
	b := wr.batch
	if !s.Keys && p.w.rng.IntN(2) == 0 {
		without := *b
		without.Series = slices.Clone(b.Series)
		for i := range without.Series {
			without.Series[i].Key = nil
		}
		b = &without
	}
	mc := p.w.machineOf(s.Node)
	if mc == nil || mc.proc == nil || !p.w.net.open(p.m.number, mc.number) {
		if p.w.rng.IntN(2) == 0 {
			p.after(time.Millisecond, func() { wr.perform(wr.fan.Answer(s, fanout.ErrUnsent)) })
			return
		}
	}
	if s.HeldBy != 0 {
		p.w.stats.Resends++
	}
	revision := wr.revision
	p.call(s.Node, 2*time.Second, func(q *process, reply func(func(), error)) {
		q.take(wr.shard, revision, b, s.HeldBy, func(err error) {
			reply(func() { wr.perform(wr.fan.Answer(s, nil)) }, err)
		})
	}, func(err error) { wr.perform(wr.fan.Answer(s, err)) })
}

// finish answers the client, once.
func (wr *writing) finish(err error) {
	if wr.over {
		return
	}
	wr.over = true
	if err == nil && !wr.p.dead && wr.p.m.disk.left == nil {
		_, needed := wr.fan.Progress()
		wr.p.w.acknowledged(wr.w, wr.batch.ID, needed)
	}
	wr.done(err)
}
