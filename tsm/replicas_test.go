package tsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// replicas is some owners of one shard that get the same batches in different
// orders, and whoever knows everything: which batches there are, who has which
// durably, and so what an honest frontier is.
type replicas struct {
	rng     *rand.Rand
	now     time.Time
	owners  []*replica
	batches []*model.Batch
	byID    map[model.BatchID]*model.Batch
	seqs    [2]uint64
	digests map[string]Digest // by the bytes of the applied set
	nested  bool              // something runs while a file is written
	stats   map[string]int
	wipes   bool // disks are lost
}

// replica is one owner.
type replica struct {
	all      *replicas
	name     string
	fs       *vfs.Mem
	s        *Shard
	acked    *model.BatchSet // whose write has returned
	frontier model.HLC       // noted some time ago, and still true
	wiped    bool            // what s says is gone
}

// failure is what a check found; run gives it to its caller.
type failure struct{ error }

func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func no(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// runReplicas does random things to some replicas and gives what was wrong.
func runReplicas(seed uint64, steps int) (stats map[string]int, err error) {
	a := &replicas{
		rng: rand.New(rand.NewPCG(seed, 11)), now: time.UnixMilli(1_700_000_000_000),
		byID: map[model.BatchID]*model.Batch{}, digests: map[string]Digest{}, stats: map[string]int{}, wipes: seed%2 == 0,
	}
	defer func() {
		stats = a.stats
		switch r := recover().(type) {
		case nil:
		case failure:
			err = r.error
		default:
			panic(r)
		}
	}()
	for i := range 2 + a.rng.IntN(2) {
		r := &replica{all: a, name: fmt.Sprint("shards/", i), fs: vfs.NewMem(), acked: &model.BatchSet{}}
		a.owners = append(a.owners, r)
		r.open()
	}
	for range steps {
		a.step()
	}
	a.converge()
	return a.stats, nil
}

// step does one thing at one replica.
func (a *replicas) step() {
	r := a.owners[a.rng.IntN(len(a.owners))]
	switch op := a.rng.IntN(100); {
	case op < 34:
		a.issue()
	case op < 50:
		r.pull(a.other(r), a.rng.IntN(4))
	case op < 62:
		r.flush()
	case op < 68:
		r.compact()
	case op < 74:
		no(r.s.compactTier(context.Background()))
	case op < 78:
		no(r.s.ReleaseLog())
	case op < 82:
		no(r.s.Close())
		r.frontier = 0 // what was noted is forgotten at a start
		r.open()
	case op < 88:
		r.crash()
	case op < 92 && a.wipes:
		from := a.other(r)
		if a.rng.IntN(2) == 0 {
			for _, o := range a.owners {
				if o != from {
					from.pull(o, 0)
				}
			}
		}
		r.wipe(from)
	case op < 97:
		r.frontier = a.frontier()
	default:
		a.now = a.now.Add(time.Duration(1+a.rng.IntN(15)) * time.Second)
	}
	for _, r := range a.owners {
		r.check()
	}
}

func (a *replicas) other(r *replica) *replica {
	for {
		if o := a.owners[a.rng.IntN(len(a.owners))]; o != r {
			return o
		}
	}
}

// frontier is the highest version below which nothing can arrive anywhere: what
// is not durable everywhere will, and what is not stamped yet gets a version of
// the last 400 ms at the lowest.
func (a *replicas) frontier() model.HLC {
	lowest := model.NewHLC(a.now.Add(-400 * time.Millisecond))
	for _, r := range a.owners {
		has, _ := r.s.Applied()
		for _, b := range a.batches {
			if !has.Contains(b.ID) {
				lowest = min(lowest, b.Version.HLC)
			}
		}
	}
	return lowest
}

// known answers for a replica honestly, or not knowing.
func (a *replicas) known(self *replica, ids *model.BatchSet) bool {
	if a.rng.IntN(3) == 0 {
		return false
	}
	for _, r := range a.owners {
		if has, _ := r.s.Applied(); r != self && (r.wiped || !has.ContainsAll(ids)) {
			return false
		}
	}
	return true
}

// Frontier implements Replication.
func (r *replica) Frontier() model.HLC { return r.frontier }

// Known implements Replication. ReleaseLog asks with the shard unlocked, so that
// the others can be looked at.
func (r *replica) Known(ids *model.BatchSet) bool { return r.all.known(r, ids) }

func (r *replica) open() {
	cfg := DefaultConfig()
	cfg.Now = func() time.Time { return r.all.now }
	cfg.ReservedBytes = 0
	cfg.CompactFiles = 3
	cfg.PackBytes = 2 << 10 // a start packs
	// Not before it is open do the others count on it, nor it on them.
	cfg.Replication = r
	before := r.s
	s, err := Open(vfs.NewFailing(r.fs, r.between), r.name, cfg)
	if err != nil {
		fail("%s: open: %w", r.name, err)
	}
	if r.s = s; before == nil {
		return
	}
	if has, _ := s.Applied(); !has.ContainsAll(r.acked) {
		fail("%s: opened without %d batches that it had", r.name, r.acked.Minus(has).Len())
	}
}

// between does something else while a segment file is being written: flushes,
// compactions and writes may overlap.
func (r *replica) between(op vfs.Op) error {
	a := r.all
	if a.nested || r.s == nil || op.Kind != vfs.OpCreate || !strings.HasSuffix(op.Name, segmentSuffix+tmpSuffix) || a.rng.IntN(2) == 0 {
		return nil
	}
	a.nested = true
	defer func() { a.nested = false }()
	a.stats["nested"]++
	switch a.rng.IntN(4) {
	case 0:
		r.frontier = a.frontier()
	case 1:
		r.pull(a.other(r), 1+a.rng.IntN(3))
	case 2:
		a.issue()
	default:
		// The one that runs has a lock that the other does not need.
		if r.s.flushing.TryLock() {
			r.s.flushing.Unlock()
			no(r.s.Flush(context.Background()))
		} else if r.s.compacting.TryLock() {
			r.s.compacting.Unlock()
			no(r.s.compactTier(context.Background()))
		}
	}
	return nil
}

// issue stamps a batch and brings it to some of the owners, some of which do not
// come to syncing it.
func (a *replicas) issue() {
	b := a.batch()
	origin := a.rng.IntN(2)
	a.seqs[origin]++
	a.now = a.now.Add(time.Duration(a.rng.IntN(300)) * time.Millisecond)
	at := a.now.Add(-time.Duration(a.rng.IntN(5)*100) * time.Millisecond)
	b.ID = model.BatchID{Origin: uint64(origin), Epoch: 5, Seq: a.seqs[origin]}
	b.Version = model.Version{HLC: model.NewHLC(at), ID: b.ID}
	a.batches = append(a.batches, b)
	a.byID[b.ID] = b
	some := false
	for i, r := range a.owners {
		switch n := a.rng.IntN(6); {
		case n < 3 || i == len(a.owners)-1 && !some:
			r.write(b)
			some = true
		case n == 3:
			if _, _, err := r.s.begin(b); err != nil {
				fail("%s: append %v: %w", r.name, b.Version, err)
			}
		}
	}
}

// write gives b to the shard and expects it to be taken.
func (r *replica) write(b *model.Batch) {
	if err := r.s.Write(context.Background(), b); err != nil {
		fail("%s: write %v: %w", r.name, b.Version, err)
	}
	r.acked.Add(b.ID)
}

// batch makes rows, or a delete, of few cells.
func (a *replicas) batch() *model.Batch {
	name := []string{"cpu", "mem"}[a.rng.IntN(2)]
	base := int64(a.rng.IntN(4)) * 10
	if a.rng.IntN(5) == 0 {
		d := &model.Delete{Range: model.AllTime, Where: model.IsMeasurement(name)}
		if a.rng.IntN(2) == 0 {
			d.Range = model.TimeRange{Min: base, Max: base + int64(a.rng.IntN(12))}
		}
		if a.rng.IntN(2) == 0 {
			d.Where = &model.Predicate{Op: model.Equal, Key: "h", Value: fmt.Sprint(a.rng.IntN(3))}
		}
		return &model.Batch{Delete: d}
	}
	b := &model.Batch{}
	t := model.Table{Measurement: name}
	for i := range 3 {
		key := model.AppendSeriesKey(nil, name, model.Tags{{Key: "h", Value: fmt.Sprint(i)}})
		b.Series = append(b.Series, model.Series{Hash: model.HashSeriesKey(key, hashSeed), Key: key})
	}
	for _, f := range testFields[:3] {
		if len(t.Columns) == 0 || a.rng.IntN(2) == 0 {
			t.Columns = append(t.Columns, model.Column{Field: f})
		}
	}
	for range 1 + a.rng.IntN(5) {
		t.Series = append(t.Series, uint32(a.rng.IntN(3)))
		t.Times = append(t.Times, base+int64(a.rng.IntN(8)))
		first := a.rng.IntN(len(t.Columns)) // of a row, this column has a value
		for c := range t.Columns {
			if c != first && a.rng.IntN(3) == 0 {
				t.Columns[c].AppendNull()
			} else if t.Columns[c].Type == model.Float {
				t.Columns[c].AppendBits(math.Float64bits(float64(a.rng.IntN(1000))))
			} else if t.Columns[c].Type == model.Boolean {
				t.Columns[c].AppendBits(uint64(a.rng.IntN(2)))
			} else {
				t.Columns[c].AppendBits(a.rng.Uint64N(1000))
			}
		}
	}
	b.Tables = []model.Table{t}
	return b
}

// errEnough ends a pull early.
var errEnough = errors.New("enough")

// pull brings up to limit batches, 0 is all, from another's log.
func (r *replica) pull(from *replica, limit int) {
	theirs, _ := from.s.Applied()
	mine, _ := r.s.Applied()
	want := theirs.Minus(mine)
	got := 0
	trimmed, err := from.s.Fetch(context.Background(), want, func(b *model.Batch) error {
		if !want.Contains(b.ID) {
			fail("%s gave %v, which was not asked for", from.name, b.ID)
		}
		r.all.stats["pulled"]++
		r.write(b)
		if got++; got == limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return
	}
	no(err)
	if mine, _ = r.s.Applied(); !mine.ContainsAll(want.Minus(trimmed)) || !mine.Intersect(trimmed).Empty() {
		fail("%s pulled %d batches from %s and lacks %d; %d are trimmed", r.name, want.Len(), from.name, want.Minus(mine).Len(), trimmed.Len())
	}
	// A copy has files without a log: from then on a replica may need one, too.
	if !trimmed.Empty() && r.all.stats["copied"] == 0 {
		fail("%s has trimmed what %s lacks: %d batches", from.name, r.name, trimmed.Len())
	}
}

func (r *replica) flush() {
	if r.all.rng.IntN(2) == 0 {
		no(r.s.Pack())
	}
	no(r.s.Flush(context.Background()))
}

func (r *replica) compact() { no(r.s.Compact(context.Background())) }

// crash cuts the power.
func (r *replica) crash() {
	r.fs = r.fs.CrashClone(func() bool { return r.all.rng.IntN(2) == 0 })
	r.frontier = 0
	r.open()
}

// wipe takes the disk of r away and copies another replica, if that has all
// that anybody has.
func (r *replica) wipe(from *replica) {
	source, _ := from.s.Applied()
	for _, o := range r.all.owners {
		if has, _ := o.s.Applied(); !source.ContainsAll(has) {
			return
		}
	}
	r.all.stats["copied"]++
	defer func(before bool) { r.all.nested = before }(r.all.nested)
	r.all.nested = true // what r got now would be lost
	r.wiped = true
	p, err := from.s.Snapshot()
	no(err)
	// The source goes on meanwhile.
	no(from.s.Flush(context.Background()))
	no(from.s.compactTier(context.Background()))
	r.fs = vfs.NewMem()
	r.frontier = 0
	r.acked = &model.BatchSet{}
	no(r.fs.MkdirAll("copy"))
	for _, f := range p.Files {
		in, err := p.Open(f.Name)
		no(err)
		b := make([]byte, f.Size)
		_, err = in.ReadAt(b, 0)
		if err != nil && err != io.EOF {
			no(err)
		}
		no(in.Close())
		out, err := r.fs.Create("copy/" + f.Name)
		no(err)
		_, err = out.Write(b)
		no(err)
		no(out.Close())
	}
	no(Install(r.fs, "copy", p.Manifest()))
	no(p.Close())
	no(vfs.MkdirAll(r.fs, "shards"))
	no(r.fs.Rename("copy", r.name))
	no(r.fs.SyncDir("shards"))
	no(r.fs.SyncDir("."))
	r.fs = r.fs.CrashClone(nil)
	r.open()
	r.wiped = false
}

// converge lets everybody pull everything, and settle.
func (a *replicas) converge() {
	a.nested = true // nothing new comes
	for range 4 {
		for _, r := range a.owners {
			for _, from := range a.owners {
				if r != from {
					r.pull(from, 0)
				}
			}
			for _, from := range a.owners {
				theirs, _ := from.s.Applied()
				if mine, _ := r.s.Applied(); a.wipes && !mine.ContainsAll(theirs) {
					r.wipe(from)
				}
			}
		}
	}
	a.now = a.now.Add(time.Minute)
	for _, r := range a.owners {
		r.frontier = a.frontier()
		r.flush()
		r.compact()
	}
	for _, r := range a.owners {
		r.check()
		set, _ := r.s.Applied()
		first, _ := a.owners[0].s.Applied()
		if !set.Equal(first) {
			fail("%s has not what %s has", r.name, a.owners[0].name)
		}
		if n := len(r.s.mu.deletes.all); n > 0 {
			fail("%s remembers %d deletes below the frontier", r.name, n)
		}
		for _, f := range r.s.mu.files {
			if f.meta.versioned {
				fail("%s keeps versions below the frontier", r.name)
			}
		}
		no(r.s.Close())
	}
}

func TestReplicasWithTheSameBatchesAnswerTheSame(t *testing.T) {
	n := uint64(16)
	if testing.Short() {
		n = 6
	}
	total := map[string]int{}
	for _, seed := range seeds(n) {
		stats, err := runReplicas(seed, 120)
		if err != nil {
			t.Errorf("-seed %d: %v", seed, err)
		}
		for what, n := range stats {
			total[what] += n
		}
	}
	t.Logf("%v", total)
}
