package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/varvedb/varve/coordinator/fanout"
	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// world is one run.
type world struct {
	queue
	plan     *Plan
	rng      *rand.Rand
	ctx      context.Context //nolint:containedctx // one run is one call
	net      *network
	meta     *metadata
	machines []*machine
	current  []uint64 // shard ids, by index
	shards   map[uint64]*history
	writes   int
	value    uint64 // of the last put
	metrics  *tsm.Metrics
	stats    Stats
	trace    []string
	keep     bool // the trace
	violated *Violation
}

// Violation is a promise that was broken.
type Violation struct {
	Promise string
	Text    string
	At      time.Duration
}

func (v *Violation) Error() string { return fmt.Sprintf("%s at %v: %s", v.Promise, v.At, v.Text) }

// Result is what came of a run.
type Result struct {
	Violation *Violation // nil when all promises were kept
	Trace     []string   // when asked for
	Stats     Stats
	Healed    time.Duration // until the replicas were equal
}

// Run carries out a plan.
func Run(p *Plan, trace bool) *Result {
	w := newWorld(p, trace)
	w.faults()
	healed := w.now
	w.converge()
	w.compare()
	return &Result{Violation: w.violated, Trace: w.trace, Stats: w.stats, Healed: w.now - healed}
}

func newWorld(p *Plan, trace bool) *world {
	w := &world{
		plan: p, rng: rand.New(rand.NewPCG(p.Seed, 2)), ctx: context.Background(),
		shards: map[uint64]*history{}, metrics: sharedMetrics, keep: trace,
	}
	w.net = &network{w: w, rng: rand.New(rand.NewPCG(p.Seed, 3)), loss: p.Loss, double: p.Double, straggle: p.Straggle, delay: p.Delay}
	w.meta = newMetadata(w)
	for i := range p.Machines {
		m := &machine{
			w: w, number: i + 1, rng: rand.New(rand.NewPCG(p.Seed, uint64(10+i))),
			clock:   clock{q: &w.queue, offset: p.Offsets[i], rate: p.Rates[i]},
			durable: map[uint64]*model.BatchSet{}, trimmed: map[uint64]*model.BatchSet{}, discarding: map[uint64]bool{},
		}
		m.disk = disk{rng: m.rng, keep: p.Keep}
		m.disk.wipe()
		m.disk.restore()
		w.machines = append(w.machines, m)
	}
	return w
}

// sharedMetrics counts for all runs; nobody looks.
var sharedMetrics = tsm.NewMetrics(nil)

func (w *world) tracef(format string, args ...any) {
	if w.keep {
		w.trace = append(w.trace, fmt.Sprintf("%12v %s", w.now, fmt.Sprintf(format, args...)))
	}
}

// failf notes the first promise that was broken.
func (w *world) failf(promise, format string, args ...any) {
	if w.violated == nil {
		w.violated = &Violation{Promise: promise, Text: fmt.Sprintf(format, args...), At: w.now}
		w.tracef("VIOLATED %s: %s", promise, w.violated.Text)
	}
}

func (w *world) failed() bool { return w.violated != nil }

// until runs events up to a time.
func (w *world) until(end time.Duration) {
	for !w.failed() && w.step(end) {
		for _, m := range w.machines {
			m.settle()
		}
	}
}

// machineOf gives the machine that a node runs on, nil when it is no more.
func (w *world) machineOf(node uint64) *machine {
	if n := w.meta.state.node(node); n != nil {
		return w.machines[n.machine-1]
	}
	return nil
}

func (w *world) history(shard uint64) *history {
	h := w.shards[shard]
	if h == nil {
		h = newHistory(shard)
		w.shards[shard] = h
	}
	return h
}

func (w *world) newWrite(shard uint64, level fanout.Level, c change) *write {
	w.writes++
	wr := &write{number: w.writes, level: level, shard: shard, change: c}
	h := w.history(shard)
	h.writes = append(h.writes, wr)
	return wr
}

func (w *world) watchLag() time.Duration {
	if w.rng.IntN(10) == 0 {
		return time.Duration(w.rng.Int64N(int64(1500 * time.Millisecond)))
	}
	return time.Duration(w.rng.Int64N(int64(50 * time.Millisecond)))
}

func (w *world) maintenancePause() time.Duration {
	return 300*time.Millisecond + time.Duration(w.rng.Int64N(int64(3*time.Second)))
}

// toMeta carries a transaction of a process to the metadata store.
func (w *world) toMeta(p *process, do func()) {
	w.after(time.Duration(w.rng.Int64N(int64(30*time.Millisecond))), func() {
		if !p.dead && w.meta.answers(p.m.number) {
			do()
		}
	})
}

// faults runs the steps of the plan.
func (w *world) faults() {
	for _, m := range w.machines {
		m.start()
	}
	w.until(100 * time.Millisecond)
	for range w.plan.Shards {
		w.current = append(w.current, w.create())
	}
	w.control()
	for i := range w.plan.Steps {
		s := &w.plan.Steps[i]
		w.after(s.At-w.now, func() { w.do(s) })
	}
	w.until(w.plan.Length)
}

// create makes a shard with owners that are alive.
func (w *world) create() uint64 {
	var nodes []uint64
	for _, n := range w.meta.state.nodes {
		if n.alive {
			nodes = append(nodes, n.id)
		}
	}
	first := w.rng.IntN(len(nodes))
	nodes = slices.Concat(nodes[first:], nodes[:first])
	factor := min(w.plan.Factor, len(nodes))
	return w.meta.createShard(factor, slices.Clone(nodes[:factor]))
}

// control is the elected controller: it decides, the owners act.
func (w *world) control() {
	w.meta.expire()
	if w.now >= w.meta.away {
		for _, id := range w.current {
			w.restore(w.meta.state.shard(id))
		}
	}
	w.watchHidden()
	w.after(time.Second, w.control)
}

// restore brings a shard back to its replication factor.
func (w *world) restore(s *metaShard) {
	for _, o := range s.owners {
		gone := w.goneFor(o.node)
		switch {
		case o.state == replica.Leaving && gone > w.plan.Replace/2,
			o.state == replica.Joining && gone > w.plan.Replace/2 && s.count(replica.Active) > 0:
			w.meta.removeOwner(s.id, o.node)
			return
		case o.state == replica.Active && gone > w.plan.Replace:
			if to := w.spare(s); to != 0 {
				w.meta.addOwner(s.id, to, o.node)
			}
			return
		}
	}
	if len(s.owners) < s.factor {
		if to := w.spare(s); to != 0 {
			w.meta.addOwner(s.id, to, 0)
		}
	}
}

// goneFor gives for how long a node has had no lease.
func (w *world) goneFor(node uint64) time.Duration {
	n := w.meta.state.node(node)
	if n == nil || n.alive {
		return 0
	}
	return w.now - w.meta.leases[node]
}

// spare gives a node that can become an owner: one that keeps no directory of
// the shard from an earlier time.
func (w *world) spare(s *metaShard) uint64 {
	var can []uint64
	for _, n := range w.meta.state.nodes {
		m := w.machines[n.machine-1]
		if n.alive && s.owner(n.id) == nil && m.durable[s.id] == nil && !m.discarding[s.id] {
			can = append(can, n.id)
		}
	}
	if len(can) == 0 {
		return 0
	}
	return can[w.rng.IntN(len(can))]
}
