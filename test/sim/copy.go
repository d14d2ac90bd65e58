package sim

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

const (
	copyTimeout = 10 * time.Second
	copyLimit   = 16 << 20
)

// shipment is a snapshot of a shard on its way.
type shipment struct {
	manifest []byte
	names    []string
	files    [][]byte
	clock    model.HLC // of the source
}

// copyFrom makes a replica by copying that of an active owner.
func (p *process) copyFrom(shard uint64) {
	s := p.m.view.shard(shard)
	sources := s.replicaNodes(replica.Active)
	if len(sources) == 0 {
		sources = s.replicaNodes(replica.Leaving)
	}
	if len(sources) == 0 {
		return
	}
	r := &replicaOf{id: shard, dir: dirOf(shard), busy: true}
	p.shards[shard] = r
	source := sources[p.w.rng.IntN(len(sources))]
	p.call(source, copyTimeout, func(q *process, reply func(func(), error)) {
		of, err := q.serving(shard, s.revision)
		if err != nil {
			reply(nil, err)
			return
		}
		snap, err := of.shard.Snapshot()
		if err != nil {
			reply(nil, err)
			return
		}
		// The files are read while the source goes on.
		q.after(time.Duration(q.w.rng.Int64N(int64(2*time.Second))), func() {
			sh, err := q.ship(of, snap)
			reply(func() { p.install(r, s, source, sh) }, err)
		})
	}, func(error) { p.giveUp(r) })
}

// giveUp forgets a replica that could not be copied; it is tried again.
func (p *process) giveUp(r *replicaOf) {
	p.after(500*time.Millisecond, func() {
		if p.shards[r.id] == r && r.shard == nil {
			delete(p.shards, r.id)
		}
	})
}

// ship reads the files of a snapshot.
func (p *process) ship(r *replicaOf, snap *tsm.Snapshot) (sh *shipment, err error) {
	defer func() { err = errors.Join(err, snap.Close()) }()
	sh = &shipment{manifest: snap.Manifest()}
	for _, f := range snap.Files {
		b, err := readAll(snap, f)
		if err != nil {
			if p.m.disk.left == nil && p.shards[r.id] == r && r.shard != nil {
				p.w.failf("SNAPSHOT", "%v: %s: %v", p.m, f.Name, err)
			}
			return nil, err
		}
		sh.names, sh.files = append(sh.names, f.Name), append(sh.files, b)
	}
	sh.clock = max(snap.Newest, p.time().HLC)
	return sh, nil
}

func readAll(snap *tsm.Snapshot, f tsm.SnapshotFile) ([]byte, error) {
	file, err := snap.Open(f.Name)
	if err != nil {
		return nil, err
	}
	b := make([]byte, f.Size)
	n, err := file.ReadAt(b, 0)
	if n == len(b) {
		err = nil
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	return b, err
}

// install makes a replica of a shipment.
func (p *process) install(r *replicaOf, s *metaShard, source uint64, sh *shipment) {
	if p.shards[r.id] != r {
		return
	}
	now := p.m.view.shard(r.id)
	if me := now.owner(p.node); now.dropped || me == nil || me.state != replica.Joining {
		p.giveUp(r)
		return
	}
	err := p.unpack(r, sh)
	if err == nil {
		// What the others take as settled rests on the source's clock: nothing
		// below it may be taken here.
		err = p.hlc.Observe(sh.clock)
	}
	if err == nil {
		err = p.fs.Rename(copyOf(r.id), r.dir)
	}
	if err == nil {
		err = p.fs.SyncDir("")
	}
	if err != nil {
		if p.m.disk.left == nil {
			p.w.failf("INSTALL", "%v: shard %d: %v", p.m, r.id, err)
		}
		return
	}
	p.w.tracef("node %d: shard %d copied from %d", p.node, r.id, source)
	p.w.stats.Copies++
	r.busy = false
	p.load(r)
}

func copyOf(shard uint64) string { return fmt.Sprintf("copy-%d", shard) }

// unpack puts the files of a shipment into a directory beside.
func (p *process) unpack(r *replicaOf, sh *shipment) error {
	dir := copyOf(r.id)
	if err := p.fs.RemoveAll(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := vfs.MkdirAll(p.fs, dir); err != nil {
		return err
	}
	for i, name := range sh.names {
		if err := vfs.WriteFile(p.fs, path.Join(dir, name), sh.files[i]); err != nil {
			return err
		}
	}
	return tsm.Install(p.fs, dir, sh.manifest)
}
