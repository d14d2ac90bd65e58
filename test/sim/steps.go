package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/varvedb/varve/data/replica"
)

// do carries out one step of the plan.
func (w *world) do(s *Step) {
	m := w.machines[max(s.Machine, 1)-1]
	shard := w.current[s.Shard]
	switch s.Kind {
	case Write, Delete, Read, ReadQuorum:
		if p := m.proc; p != nil && p.core != nil && p.m.view != nil {
			p.run(func() { w.ask(p, s, shard) })
		}
		return
	}
	w.tracef("%v", s)
	switch s.Kind {
	case Crash:
		m.crash("crashes")
		w.after(s.For, m.start)
	case CrashInIO:
		if m.proc != nil {
			m.disk.armed = 1 + int(s.Number%40)
		}
	case Wipe:
		if w.mayWipe(m) {
			m.wipe()
			w.after(s.For, m.start)
		}
	case Stop:
		m.paused = max(m.paused, w.now+s.For)
	case SlowDisk:
		m.slow = w.now + s.For
	case Cut:
		w.net.cut(s.For, func(from, to int) bool { return from == s.Machine || to == s.Machine })
	case CutOneWay:
		w.net.cut(s.For, func(from, to int) bool { return from == s.Machine && to == s.Other })
	case Split:
		// The metadata stays with the side of machine 1 or with the other.
		side := func(machine int) bool { return s.Number>>machine&1 == 1 }
		w.net.cut(s.For, func(from, to int) bool { return side(from) != side(to) })
	case CutMeta:
		w.net.cut(s.For, func(from, to int) bool {
			return from == s.Machine && to == metaMachine || to == s.Machine && from == metaMachine
		})
	case MetaAway:
		w.meta.away = max(w.meta.away, w.now+s.For)
	case Jump:
		m.clock.offset += drawOffset(rand.New(rand.NewPCG(s.Number, 0)))
	case Move:
		w.move(shard, s.Machine)
	case Recreate:
		if slices.ContainsFunc(w.meta.state.nodes, func(n metaNode) bool { return n.alive }) {
			w.meta.dropShard(shard)
			w.current[s.Shard] = w.create()
		}
	}
}

// mayWipe reports whether a disk can be lost without the last replica that
// counts of a shard: what is then is not for a machine to decide. One of one
// may be lost.
func (w *world) mayWipe(m *machine) bool {
	for _, id := range w.current {
		s := w.meta.state.shard(id)
		for _, o := range s.owners {
			if w.machineOf(o.node) != m || o.state != replica.Active && o.state != replica.Leaving {
				continue
			}
			if s.count(replica.Active, replica.Leaving) == 1 && len(s.owners) > 1 {
				return false
			}
		}
	}
	return true
}

// move begins to move a replica away from a machine.
func (w *world) move(shard uint64, machine int) {
	s := w.meta.state.shard(shard)
	for _, o := range s.owners {
		if m := w.machineOf(o.node); o.state != replica.Active || m == nil || m.number != machine {
			continue
		}
		if to := w.spare(s); to != 0 && w.meta.addOwner(shard, to, o.node) {
			w.stats.Moves++
		}
		return
	}
}

// ask is a client at work.
func (w *world) ask(p *process, s *Step, shard uint64) {
	rng := rand.New(rand.NewPCG(s.Number, 0))
	done := func(err error) {
		if err != nil {
			w.tracef("node %d: write fails: %v", p.node, err)
		}
	}
	switch s.Kind {
	case Read:
		p.readOne(shard)
	case ReadQuorum:
		p.readQuorum(shard)
	case Write:
		c := change{}
		for range 1 + rng.IntN(4) {
			w.value++
			c.puts = append(c.puts, put{rng.IntN(cellCount), w.value})
		}
		p.write(w.newWrite(shard, s.Level, c), batchOf(&c), done)
	case Delete:
		b, c := drawDelete(rng)
		p.write(w.newWrite(shard, s.Level, c), b, done)
	}
}

// heal ends all faults, for good.
func (w *world) heal() {
	w.tracef("healed")
	w.net.heal()
	w.meta.away = 0
	for _, m := range w.machines {
		m.disk.armed, m.paused, m.slow = 0, 0, 0
		m.clock.mend()
		m.start()
	}
}

// convergeIn is how long the replicas may take to become equal once all is well:
// once no node's logical clock is ahead any more. Nobody copies from a node whose
// clock is, and it may be the only one that has a replica.
const convergeIn = 60 * time.Second

// converge heals and waits until nothing is left to be done.
func (w *world) converge() {
	if w.failed() {
		return
	}
	w.heal()
	end := w.now + w.lead() + convergeIn
	for why := ""; ; {
		w.until(w.now + 500*time.Millisecond)
		if why = w.unsettled(); why == "" || w.failed() {
			return
		}
		if w.now >= end {
			w.failf("CONVERGE", "%v after all was healed and no clock ahead: %s", convergeIn, why)
			return
		}
	}
}

// lead gives how far the logical clock is ahead that is furthest.
func (w *world) lead() (lead time.Duration) {
	for _, m := range w.machines {
		if m.proc != nil && m.proc.core != nil {
			lead = max(lead, m.proc.time().HLC.Time().Sub(m.clock.wall()))
		}
	}
	return lead
}
