package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/internal/hlc"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// process is one run of a node: it drives the state machine of replication and
// the shards on its disk, and coordinates writes and reads.
type process struct {
	w     *world
	m     *machine
	fs    vfs.FS
	began time.Duration // by the machine's monotonic clock
	dead  bool
	// registered is false until the metadata store has counted this start.
	registered bool

	node, starts uint64
	hlc          *hlc.Clock
	core         *replica.Node
	shards       map[uint64]*replicaOf
	excuses      uint64 // the change of the excuses on disk
	kept         map[uint64]map[uint64]uint64

	epoch uint64 // of the coordinator
	seqs  map[uint64]uint64
}

// replicaOf is a directory of a shard at a node.
type replicaOf struct {
	id      uint64
	dir     string
	shard   *tsm.Shard // nil until it is complete
	busy    bool       // a copy or a handing over is under way
	writing int        // batches taken and not durable yet
}

// identity is what a node keeps of itself on its disk.
type identity struct {
	Node, Starts uint64
	Excuses      map[uint64]map[uint64]uint64
}

const identityFile = "identity"

// run does something in the process, later when the machine is stopped, not at
// all when the process has ended.
func (p *process) run(do func()) {
	switch {
	case p.dead || p.w.failed():
	case p.w.now < p.m.paused:
		// Not at once until the end of the stop: it may end before, when all is healed.
		p.w.after(min(p.m.paused-p.w.now, tellInterval), func() { p.run(do) })
	default:
		do()
		p.m.settle()
	}
}

// after does something in the process after a while.
func (p *process) after(d time.Duration, do func()) {
	p.w.after(d, func() { p.run(do) })
}

// open starts the node from its disk.
func (p *process) open() error {
	p.fs = p.m.disk.fs()
	var me identity
	b, err := vfs.ReadFile(p.fs, identityFile, 1<<20)
	if err == nil {
		err = json.Unmarshal(b, &me)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read identity: %w", err)
	}
	p.node, p.starts, p.kept = me.Node, me.Starts+1, me.Excuses
	if p.node != 0 {
		// Counted on the disk first: what this run says must not be taken for
		// what another run said.
		if err := p.keepIdentity(); err != nil {
			return err
		}
	}
	if p.hlc, err = hlc.Open(p.fs, "", p.m.clock.wall); err != nil {
		return err
	}
	p.epoch = p.w.rng.Uint64()
	p.register()
	return nil
}

// register makes the node known; a new one needs the metadata store for that.
func (p *process) register() {
	if !p.w.meta.answers(p.m.number) {
		if p.node != 0 && p.core == nil {
			p.begin()
		}
		p.after(500*time.Millisecond, p.register)
		return
	}
	node := p.w.meta.register(p.m.number, p.node, p.starts)
	p.registered = true
	p.m.contact = p.w.now
	if node != p.node {
		p.node = node
		if n := p.w.meta.state.node(node); n != nil {
			p.starts = max(p.starts, n.start)
		}
		if p.keepIdentity() != nil {
			return
		}
	}
	p.m.see(p.w.meta.state)
	if p.core == nil {
		p.begin()
	}
	p.after(leaseInterval, p.keepAlive)
}

// begin opens what is on the disk and starts to talk.
func (p *process) begin() {
	cfg := replica.DefaultConfig()
	cfg.Found = p.hlc.Found()
	core, err := replica.New(replica.Self{Node: p.node, Start: p.starts}, cfg)
	if err != nil {
		p.w.failf("START", "%v: %v", p.m, err)
		return
	}
	p.core = core
	p.w.tracef("machine %d: node %d starts, run %d", p.m.number, p.node, p.starts)
	names, err := p.fs.List("")
	if err != nil {
		return
	}
	for _, name := range names {
		var id uint64
		if strings.HasPrefix(name, "copy-") || strings.HasPrefix(name, "gone-") {
			if p.fs.RemoveAll(name) != nil {
				return
			}
		}
		if n, err := fmt.Sscanf(name, "shard-%d", &id); err == nil && n == 1 {
			p.shards[id] = &replicaOf{id: id, dir: name}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.m.durable)) {
		switch {
		case p.shards[id] != nil:
			delete(p.m.discarding, id)
		case p.m.discarding[id]:
			p.discarded(id)
		default:
			p.w.failf("DURABLE", "%v: the directory of shard %d is not there after a restart", p.m, id)
		}
	}
	p.viewChanged()
	p.after(time.Duration(p.w.rng.Int64N(int64(tellInterval))), p.tick)
	p.after(p.w.maintenancePause(), p.maintain)
}

func (p *process) keepIdentity() error {
	b, err := json.Marshal(identity{p.node, p.starts, p.kept})
	if err != nil {
		return err
	}
	return vfs.WriteFile(p.fs, identityFile, b)
}

// keepAlive renews the node's lease, and learns what it has missed.
func (p *process) keepAlive() {
	if p.w.meta.answers(p.m.number) {
		p.w.meta.renew(p.node)
		p.m.contact = p.w.now
		if p.m.view != p.w.meta.state {
			p.w.meta.tell(p.m, p.w.meta.state)
		}
	}
	p.tellNodes()
	p.after(leaseInterval, p.keepAlive)
}

// knownFor is how long the metadata counts as up to date after the store has
// answered.
const knownFor = 2 * time.Second

// tellNodes tells the state machine who is alive.
func (p *process) tellNodes() {
	if p.m.view == nil {
		return
	}
	nodes := make(map[uint64]replica.NodeInfo)
	for _, n := range p.m.view.nodes {
		nodes[n.id] = replica.NodeInfo{Start: n.start, Alive: n.alive}
	}
	p.core.SetNodes(p.w.now-p.m.contact <= knownFor && p.registered, nodes)
}

// time gives the time of an event.
func (p *process) time() replica.Time {
	h, err := p.hlc.Now()
	if err != nil && p.m.disk.left == nil {
		p.w.failf("CLOCK", "%v: %v", p.m, err)
	}
	return replica.Time{HLC: h, Mono: p.m.clock.mono() - p.began}
}

// viewChanged brings the shards to what the metadata says.
func (p *process) viewChanged() {
	if p.core == nil || p.m.view == nil {
		return
	}
	p.tellNodes()
	for i := range p.m.view.shards {
		if p.dead {
			return
		}
		p.follow(&p.m.view.shards[i])
	}
}

// follow brings one shard to what the metadata says.
func (p *process) follow(s *metaShard) {
	r, me := p.shards[s.id], s.owner(p.node)
	if s.dropped {
		if r != nil && !r.busy {
			p.core.Forget(s.id)
			p.discard(r)
		}
		return
	}
	if me == nil && r == nil {
		p.core.Forget(s.id)
		return
	}
	owners := make([]replica.Owner, len(s.owners))
	for i, o := range s.owners {
		owners[i] = replica.Owner{Node: o.node, State: o.state}
	}
	p.core.SetOwners(s.id, s.revision, owners)
	switch {
	case me == nil || me.state == replica.Rebuild:
		p.handOver(r, s.id)
	case r != nil && r.shard == nil && !r.busy:
		p.load(r)
	case r == nil && me.state == replica.Joining:
		p.copyFrom(s.id)
	case r == nil:
		r = &replicaOf{id: s.id, dir: dirOf(s.id)}
		p.shards[s.id] = r
		p.load(r)
	}
}

func dirOf(shard uint64) string { return fmt.Sprintf("shard-%d", shard) }

// load opens a replica's directory.
func (p *process) load(r *replicaOf) {
	cfg := tsm.DefaultConfig()
	cfg.Now = p.m.clock.wall
	cfg.ReservedBytes = 0
	cfg.Metrics = p.w.metrics
	cfg.Replication = replication{p, r.id}
	s, err := tsm.Open(p.fs, r.dir, cfg)
	if err != nil {
		if p.m.disk.left == nil {
			p.w.failf("OPEN", "%v: %v", p.m, err)
		}
		return
	}
	r.shard = s
	applied, recent := s.Applied()
	p.w.checkOpened(p, r, applied, recent)
	p.core.Opened(r.id, applied, recent)
	p.core.SetExcuses(r.id, p.kept[r.id])
}

// replication is what a shard asks about the other owners.
type replication struct {
	p     *process
	shard uint64
}

func (r replication) Frontier() model.HLC { return r.p.core.Frontier(r.p.time(), r.shard) }

func (r replication) Known(ids *model.BatchSet) bool { return r.p.core.Known(r.shard, ids) }

// discard removes a replica's directory.
func (p *process) discard(r *replicaOf) {
	if r.shard != nil {
		if err := r.shard.Close(); err != nil && p.m.disk.left == nil {
			p.w.failf("CLOSE", "%v: shard %d: %v", p.m, r.id, err)
		}
		r.shard = nil
	}
	delete(p.shards, r.id)
	// Renamed first: of a directory that is being removed a power cut leaves
	// anything.
	p.m.discarding[r.id] = true
	gone := fmt.Sprintf("gone-%d-%d", r.id, p.starts)
	if p.fs.Rename(r.dir, gone) != nil || p.fs.SyncDir("") != nil {
		return
	}
	p.discarded(r.id)
	_ = p.fs.RemoveAll(gone) // tried again at the next start
}

// discarded follows that a directory is gone for certain.
func (p *process) discarded(shard uint64) {
	gone := p.m.durable[shard]
	delete(p.m.durable, shard)
	delete(p.m.trimmed, shard)
	delete(p.m.discarding, shard)
	p.w.dirRemoved(p, shard, gone)
}

// each calls f with the open replicas, by shard.
func (p *process) each(f func(r *replicaOf)) {
	for _, id := range slices.Sorted(maps.Keys(p.shards)) {
		if r := p.shards[id]; r != nil && r.shard != nil && !p.dead {
			f(r)
		}
	}
}

// maintain flushes, compacts and lets logs go, at random.
func (p *process) maintain() {
	p.each(func(r *replicaOf) {
		var err error
		switch what := p.w.rng.IntN(6); what {
		case 0, 1:
			err = r.shard.Flush(p.w.ctx)
		case 2:
			err = r.shard.Compact(p.w.ctx)
		case 3:
			err = r.shard.ReleaseLog()
		}
		if err != nil && p.m.disk.left == nil {
			p.w.failf("MAINTAIN", "%v: shard %d: %v", p.m, r.id, err)
		}
		p.w.checkContent(p, r)
	})
	p.after(p.w.maintenancePause(), p.maintain)
}

// keepExcuses writes those of the state machine to the disk when they have
// changed.
func (p *process) keepExcuses() {
	excuses, change := p.core.Excuses()
	if change == p.excuses {
		return
	}
	p.excuses, p.kept = change, excuses
	if err := p.keepIdentity(); err != nil && p.m.disk.left == nil {
		p.w.failf("DISK", "%v: %v", p.m, err)
	}
}
