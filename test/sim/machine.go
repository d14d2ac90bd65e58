package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/varvedb/varve/model"
)

// machine is a place where a node runs: a disk, a clock and, while it is up, a
// process. A machine that lost its disk comes back as another node.
type machine struct {
	w      *world
	number int // from 1
	rng    *rand.Rand
	clock  clock
	disk   disk
	proc   *process // nil while it is down
	paused time.Duration
	slow   time.Duration // writes are slow until then

	// What the metadata said last, and when the store last answered.
	view    *snapshot
	contact time.Duration

	// durable is what was found or put on the disk: per shard the batches that
	// its directory holds for certain.
	durable map[uint64]*model.BatchSet
	// discarding are shards whose directories are being removed.
	discarding map[uint64]bool
	trimmed    map[uint64]*model.BatchSet // what is not in its log any more
}

// see takes in a snapshot of the metadata, unless a later one is known.
func (m *machine) see(s *snapshot) {
	if m.view != nil && s.revision <= m.view.revision {
		return
	}
	m.view = s
	if p := m.proc; p != nil {
		p.run(p.viewChanged)
	}
}

// crash ends the process and with the power all that was not synced.
func (m *machine) crash(why string) {
	if m.proc == nil {
		return
	}
	m.w.tracef("machine %d (node %d): %s", m.number, m.proc.node, why)
	m.disk.cut()
	m.ended()
}

// ended follows a power cut.
func (m *machine) ended() {
	m.proc.dead = true
	m.proc = nil
	m.disk.restore()
	m.w.stats.Crashes++
}

// start runs the node from its disk.
func (m *machine) start() {
	if m.proc != nil {
		return
	}
	p := &process{w: m.w, m: m, began: m.clock.mono(), shards: map[uint64]*replicaOf{}, seqs: map[uint64]uint64{}}
	m.proc = p
	if err := p.open(); err != nil {
		if m.disk.left == nil {
			m.w.failf("START", "machine %d: %v", m.number, err)
		}
	}
	m.settle()
}

// settle finishes a power cut that came in the middle of something.
func (m *machine) settle() {
	if m.proc == nil || m.disk.left == nil {
		return
	}
	m.w.tracef("machine %d: power cut in the middle", m.number)
	m.ended()
	m.w.after(time.Duration(m.rng.Int64N(int64(4*time.Second))), m.start)
}

// wipe takes the disk away; the process must have ended.
func (m *machine) wipe() {
	m.crash("crashes and loses its disk")
	lost := m.durable
	m.durable, m.trimmed, m.discarding = map[uint64]*model.BatchSet{}, map[uint64]*model.BatchSet{}, map[uint64]bool{}
	m.disk.wipe()
	m.view = nil
	m.w.tracef("machine %d: the disk is gone", m.number)
	for _, id := range slices.Sorted(maps.Keys(lost)) {
		m.w.diskLost(id, lost[id])
	}
	m.w.stats.Wipes++
}

// holds notes that a batch is durable in a shard's directory.
func (m *machine) holds(shard uint64, id model.BatchID) {
	if m.durable[shard] == nil {
		m.durable[shard] = &model.BatchSet{}
	}
	m.durable[shard].Add(id)
	if i := m.w.history(shard).byID[id]; i != nil && i.write.ids[len(i.write.ids)-1] != id {
		m.w.failf("STAMPED", "%v: shard %d: holds %v of write %d, which was stamped anew", m, shard, id, i.write.number)
	}
}

func (m *machine) String() string {
	if m.proc == nil {
		return fmt.Sprintf("machine %d (down)", m.number)
	}
	return fmt.Sprintf("machine %d (node %d)", m.number, m.proc.node)
}
