package sim

import (
	"errors"
	"slices"
	"time"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/model"
)

const tellInterval = 200 * time.Millisecond

// errNoAnswer stands for an answer that did not come in time.
var errNoAnswer = errors.New("no answer")

// tick tells the other owners what is held here, and does what has become due.
func (p *process) tick() {
	for _, to := range p.core.Peers() {
		p.tell(to)
	}
	p.pull()
	for i := range p.m.view.shards {
		if p.dead {
			return
		}
		p.progress(&p.m.view.shards[i])
	}
	p.keepExcuses()
	p.after(tellInterval, p.tick)
}

// tell sends a message about the shards that are shared with a node.
func (p *process) tell(to uint64) {
	m := p.core.Tell(p.time(), to)
	if m == nil || p.m.disk.left != nil {
		return
	}
	p.w.checkTold(p, m)
	bytes := replica.AppendMessage(nil, m)
	p.w.stats.Messages++
	p.send(to, func(q *process) { q.hear(bytes) })
}

// send runs deliver in the process of a node, if there is a way to it.
func (p *process) send(to uint64, deliver func(q *process)) {
	if p.dead || p.m.disk.left != nil {
		return
	}
	mc := p.w.machineOf(to)
	if mc == nil {
		return
	}
	p.w.net.send(p.m.number, mc.number, func() {
		if q := mc.proc; q != nil && q.node == to && q.core != nil {
			q.run(func() { deliver(q) })
		}
	})
}

// hear takes in a message of another node, and answers it.
func (p *process) hear(b []byte) {
	m, err := replica.DecodeMessage(b)
	if err != nil {
		p.w.failf("MESSAGE", "%v: %v", p.m, err)
		return
	}
	answers := m.Echo
	p.core.Receive(p.time(), m)
	if p.m.disk.left != nil {
		return
	}
	if p.w.rng.IntN(4) == 0 && answers == 0 || p.w.rng.IntN(8) == 0 {
		p.tell(m.From.Node)
	}
	p.pull()
}

// call asks a node and takes its answer; a lost question or answer is
// errNoAnswer. serve may answer later, once.
func (p *process) call(to uint64, timeout time.Duration, serve func(q *process, reply func(answer func(), err error)), failed func(err error)) {
	answered := false
	done := func(f func()) {
		if !answered {
			answered = true
			f()
		}
	}
	p.after(timeout, func() { done(func() { failed(errNoAnswer) }) })
	p.send(to, func(q *process) {
		serve(q, func(answer func(), err error) {
			if q.dead || q.m.disk.left != nil {
				return
			}
			q.w.net.send(q.m.number, p.m.number, func() {
				p.run(func() {
					done(func() {
						if err != nil {
							failed(err)
							return
						}
						answer()
					})
				})
			})
		})
	})
}

// pullTimeout ends a pull from a node that does not answer.
const pullTimeout = 3 * time.Second

// pull fetches what is missing here.
func (p *process) pull() {
	for _, pl := range p.core.Pulls(p.time()) {
		p.w.stats.Pulls++
		p.call(pl.From, pullTimeout, func(q *process, reply func(func(), error)) {
			batches, trimmed, err := q.fetch(pl.Shard, pl.Revision, pl.Want)
			reply(func() { p.pulled(pl, batches, trimmed) }, err)
		}, func(err error) { p.core.PullDone(p.time(), pl, nil, err) })
	}
}

// fetch gives batches of the log.
func (p *process) fetch(shard, revision uint64, want *model.BatchSet) (batches []*model.Batch, trimmed *model.BatchSet, err error) {
	r, err := p.serving(shard, revision)
	if err != nil {
		return nil, nil, err
	}
	trimmed, err = r.shard.Fetch(p.w.ctx, want, func(b *model.Batch) error {
		batches = append(batches, cloneBatch(b))
		return nil
	})
	return batches, trimmed, err
}

// cloneBatch copies what may be used again by who emits b.
func cloneBatch(b *model.Batch) *model.Batch {
	c, err := model.DecodeBatch(model.AppendBatch(nil, b))
	if err != nil {
		panic(err)
	}
	return c
}

// serving gives an open replica, when the asker knows the same owners.
func (p *process) serving(shard, revision uint64) (*replicaOf, error) {
	if p.m.view == nil {
		return nil, model.ErrUnavailable
	}
	s := p.m.view.shard(shard)
	if s == nil || s.dropped || s.owner(p.node) == nil || revision != 0 && s.revision != revision {
		return nil, model.ErrMoved
	}
	r := p.shards[shard]
	if r == nil || r.shard == nil || r.busy {
		return nil, model.ErrUnavailable
	}
	return r, nil
}

// pulled writes what was fetched; a stream may end in the middle.
func (p *process) pulled(pl replica.Pull, batches []*model.Batch, trimmed *model.BatchSet) {
	var err error
	if len(batches) > 1 && p.w.rng.IntN(8) == 0 {
		batches, trimmed, err = batches[:p.w.rng.IntN(len(batches))], nil, errNoAnswer
	}
	left := len(batches)
	finish := func() {
		// A run of this process for another revision may have ended the pull.
		p.core.PullDone(p.time(), pl, trimmed, err)
		p.pull()
	}
	if left == 0 {
		finish()
		return
	}
	for _, b := range batches {
		p.take(pl.Shard, pl.Revision, b, pl.From, func(e error) {
			if e != nil {
				err = e
			}
			if left--; left == 0 {
				finish()
			}
		})
	}
}

// take admits a batch, writes it some time later and says what came of it.
func (p *process) take(shard, revision uint64, b *model.Batch, holder uint64, done func(err error)) {
	verdict, err := p.core.Admit(p.time(), shard, revision, b.Version, replica.Hand{Holder: holder})
	if p.m.disk.left != nil {
		return
	}
	if err != nil {
		// What a coordinator says of a holder may be over: it was marked since.
		if m := p.w.machineOf(holder); m != nil && errors.Is(err, model.ErrStale) && p.w.durable(m, shard).Contains(b.ID) {
			p.w.failf("FRONTIER", "node %d refuses %v of shard %d, held by %d, as below its frontier", p.node, b.Version, shard, holder)
		}
		done(err)
		return
	}
	if verdict == replica.Have {
		done(nil)
		return
	}
	r := p.shards[shard]
	if r == nil || r.shard == nil {
		p.w.failf("ADMIT", "node %d takes a batch for shard %d, which it has not opened", p.node, shard)
		return
	}
	p.w.checkArrival(p, r, b)
	into := r.shard
	r.writing++
	p.after(p.writeTime(), func() {
		r.writing--
		if r.shard != into {
			done(model.ErrUnavailable) // dropped meanwhile
			return
		}
		err := into.Write(p.w.ctx, b)
		switch {
		case p.m.disk.left != nil:
			return
		case err == nil:
			p.m.holds(shard, b.ID)
			p.core.Durable(shard, b.Version)
			p.w.checkApplied(p, r)
		default:
			if errors.Is(err, model.ErrStale) {
				p.w.failf("FRONTIER", "shard %d at node %d takes %v no more, though it was admitted: %v", shard, p.node, b.Version, err)
			}
			p.core.Abort(shard, b.Version)
		}
		done(err)
	})
}

// writeTime is how long a batch waits for its sync.
func (p *process) writeTime() time.Duration {
	d := time.Duration(p.w.rng.Int64N(int64(20 * time.Millisecond)))
	if p.w.now < p.m.slow || p.w.rng.IntN(100) == 0 {
		d += time.Duration(p.w.rng.Int64N(int64(3 * time.Second)))
	}
	return d
}

// progress takes the steps that are due for one shard.
func (p *process) progress(s *metaShard) {
	r, me := p.shards[s.id], s.owner(p.node)
	switch {
	case s.dropped:
		if r != nil && !r.busy {
			p.follow(s)
		}
		return
	case me == nil || me.state == replica.Rebuild:
		p.handOver(r, s.id)
		return
	case r == nil && me.state == replica.Joining:
		p.follow(s)
		return
	case r == nil || r.shard == nil || r.busy:
		return
	}
	if p.core.Lost(s.id) {
		p.w.tracef("node %d: shard %d lacks what is in no log", p.node, s.id)
		p.w.toMeta(p, func() { p.w.meta.markRebuild(p.node, s.id, p.node) })
		return
	}
	switch me.state {
	case replica.Joining:
		if p.core.CaughtUp(p.time(), s.id) {
			p.w.toMeta(p, func() { p.w.meta.activate(s.id, p.node, s.revision) })
		}
	case replica.Leaving:
		if p.core.Drained(p.time(), s.id) && r.writing == 0 {
			p.w.toMeta(p, func() { p.w.meta.leave(s.id, p.node, s.revision) })
		}
	case replica.Active:
		p.capLog(s, r)
	}
}

// capLog marks owners that are away for so long that the log must be let go.
func (p *process) capLog(s *metaShard, r *replicaOf) {
	since := r.shard.Info().LogSince
	if since.IsZero() || p.m.clock.wall().Sub(since) < p.w.plan.LogCap {
		return
	}
	applied := p.core.Applied(s.id)
	for _, l := range p.core.Lags(p.time(), s.id) {
		if l.Met && l.Age < p.w.plan.LogCap {
			continue
		}
		n := p.m.view.node(l.Node)
		if o := s.owner(l.Node); o == nil || o.state == replica.Rebuild || n != nil && n.alive || applied.Empty() {
			continue
		}
		p.w.toMeta(p, func() { p.w.meta.markRebuild(p.node, s.id, l.Node) })
	}
}

// replicaNodes gives the owners in one of the states, by node.
func (s *metaShard) replicaNodes(states ...replica.State) []uint64 {
	var all []uint64
	for _, o := range s.owners {
		if slices.Contains(states, o.state) {
			all = append(all, o.node)
		}
	}
	return all
}
