package sim

import (
	"time"

	"github.com/varvedb/varve/coordinator/fanout"
	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/model"
)

// handOver gives away what only this replica has, which is no owner any more or
// must be made anew, and then drops it.
func (p *process) handOver(r *replicaOf, shard uint64) {
	s := p.m.view.shard(shard)
	if r == nil {
		if me := s.owner(p.node); me != nil && me.state == replica.Rebuild {
			p.w.toMeta(p, func() { p.w.meta.rejoin(shard, p.node) })
		}
		return
	}
	if r.busy {
		return
	}
	if r.shard == nil {
		p.load(r)
		if r.shard == nil {
			return
		}
	}
	to := s.replicaNodes(replica.Active)
	if len(to) == 0 || r.writing > 0 {
		return
	}
	r.busy = true
	again := func(error) {
		p.after(time.Second, func() { r.busy = false })
	}
	target := to[p.w.rng.IntN(len(to))]
	p.call(target, pullTimeout, func(q *process, reply func(func(), error)) {
		of, err := q.serving(shard, 0)
		if err != nil {
			reply(nil, err)
			return
		}
		set, _ := of.shard.Applied()
		reply(func() { p.spread(r, s, target, set, to, again) }, nil)
	}, again)
}

// spread goes on once the other active owners that are alive hold what the
// target holds of what is held here.
func (p *process) spread(r *replicaOf, s *metaShard, target uint64, has *model.BatchSet, to []uint64, again func(error)) {
	if len(to) == 0 {
		p.offerAll(r, target, has, again)
		return
	}
	node, rest := to[0], to[1:]
	if n := p.m.view.node(node); node == target || n == nil || !n.alive {
		p.spread(r, s, target, has, rest, again)
		return
	}
	p.call(node, pullTimeout, func(q *process, reply func(func(), error)) {
		of, err := q.serving(s.id, 0)
		if err != nil {
			reply(nil, err)
			return
		}
		set, _ := of.shard.Applied()
		reply(func() {
			mine, _ := r.shard.Applied()
			if !set.ContainsAll(mine.Intersect(has)) {
				again(nil)
				return
			}
			p.spread(r, s, target, has, rest, again)
		}, nil)
	}, again)
}

// offerAll offers an owner all that it lacks.
func (p *process) offerAll(r *replicaOf, target uint64, has *model.BatchSet, again func(error)) {
	mine, _ := r.shard.Applied()
	lacks := mine.Minus(has)
	var batches []*model.Batch
	trimmed, err := r.shard.Fetch(p.w.ctx, lacks, func(b *model.Batch) error {
		batches = append(batches, cloneBatch(b))
		return nil
	})
	if err != nil {
		again(err)
		return
	}
	if !trimmed.Empty() {
		// It came with a copy, so another owner has it, from whom this one will
		// pull it.
		again(nil)
		return
	}
	p.offer(r, target, batches, again)
}

// offer hands over batches one after the other, in order, and drops the replica
// after the last.
func (p *process) offer(r *replicaOf, target uint64, batches []*model.Batch, again func(error)) {
	if len(batches) == 0 {
		p.w.tracef("node %d: shard %d: handed over to %d", p.node, r.id, target)
		p.core.Closed(r.id)
		r.busy = false
		p.discard(r)
		if p.m.view.shard(r.id).owner(p.node) == nil {
			p.core.Forget(r.id)
		}
		return
	}
	b := batches[0]
	p.call(target, writeTimeout, func(q *process, reply func(func(), error)) {
		q.offered(r.id, b, func(err error) {
			reply(func() {
				p.w.handedOver(r.id, b.ID)
				p.offer(r, target, batches[1:], again)
			}, err)
		})
	}, again)
}

// offered writes what is lacking here of a batch as a new one.
func (p *process) offered(shard uint64, b *model.Batch, done func(error)) {
	of, err := p.serving(shard, 0)
	if err != nil {
		done(err)
		return
	}
	// Only one that has all can tell what is lacking: a cell that it has not
	// pulled yet may be newer than what is offered. A delete with a new version
	// would take what was written since.
	if _, ok := p.core.InSync(p.time(), shard); !ok {
		done(model.ErrBehind)
		return
	}
	if b.Delete != nil {
		done(nil)
		return
	}
	lacking, err := of.shard.Lacking(b)
	if err != nil || lacking == nil {
		done(err)
		return
	}
	p.w.stats.Leftovers++
	w := p.w.newWrite(shard, fanout.Quorum, changeOf(lacking))
	p.write(w, lacking, done)
}
