package tsm

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// copyFiles puts the files of a snapshot into dir of fs.
func copyFiles(t *testing.T, p *Snapshot, fs vfs.FS, dir string) {
	t.Helper()
	must(t, fs.MkdirAll(dir))
	for _, f := range p.Files {
		in, err := p.Open(f.Name)
		must(t, err)
		b := make([]byte, f.Size)
		if _, err := in.ReadAt(b, 0); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		must(t, in.Close())
		out, err := fs.Create(path.Join(dir, f.Name))
		must(t, err)
		_, err = out.Write(b)
		must(t, err)
		must(t, out.Close())
	}
}

// snapshotted gives a shard with files, deletes in the manifest, and rows that
// are only in its log.
func snapshotted(t *testing.T, fs vfs.FS) (*Shard, *history) {
	t.Helper()
	s, h := newShard(t, fs, func(c *Config) { c.Replication = behind() })
	ctx := t.Context()
	h.write(t, s, h.points("m,a=1", upTo(50)...))
	must(t, s.Flush(ctx))
	h.write(t, s, h.points("m,a=2", upTo(30)...))
	h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.TimeRange{Max: 9}}}))
	must(t, s.Flush(ctx))
	h.write(t, s, h.points("n", 1, 2, 3))
	h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.TimeRange{Min: 20, Max: 25}}}))
	return s, h
}

func TestCopyHasJustWhatItSays(t *testing.T) {
	s, h := snapshotted(t, vfs.NewMem())
	p, err := s.Snapshot()
	must(t, err)
	if p.Newest != h.taken[4].Version.HLC {
		t.Errorf("the newest version is %v, want that of the last batch", p.Newest)
	}
	fs := vfs.NewMem()
	must(t, fs.MkdirAll("shards"))
	copyFiles(t, p, fs, "side")
	must(t, Install(fs, "side", p.Manifest()))
	must(t, p.Close())
	must(t, p.Close())
	must(t, fs.Rename("side", "shards/1"))
	must(t, fs.SyncDir("shards"))
	must(t, fs.SyncDir("."))
	fs = fs.CrashClone(nil) // all of it is durable

	cfg := h.config()
	cfg.Replication = behind()
	c, err := Open(fs, "shards/1", cfg)
	must(t, err)
	defer func() { must(t, c.Close()) }()
	if c.mu.frontier != 0 {
		t.Errorf("the copy starts with frontier %v", c.mu.frontier)
	}
	if set, _ := c.Applied(); !set.Equal(idsOf(h.taken[:3]...)) {
		t.Errorf("the copy says it has %d batches, want the 3 of the files", set.Len())
	}
	compare(t, read(t, c, model.AllTime), contentOf(h.taken[:3]))

	// It takes what it lacks, skips what it has, and hides what comes late for a delete.
	all := idsOf(h.taken...)
	got, _ := fetch(t, s, all)
	for _, b := range slices.Backward(got) {
		err := c.Write(t.Context(), b)
		if errors.Is(err, model.ErrNeedKeys) {
			b.Series[0].Key = s.keyOf(b.Series[0].Hash)
			err = c.Write(t.Context(), b)
		}
		must(t, err)
	}
	h.check(t, c)
	checkSameDigest(t, s, c)
	must(t, c.Flush(t.Context()))
	must(t, c.Compact(t.Context()))
	h.check(t, c)
	checkSameDigest(t, s, c)
}

func TestSnapshotOutlivesItsFilesAndTheShard(t *testing.T) {
	mem := vfs.NewMem()
	s, h := snapshotted(t, mem)
	ctx := t.Context()
	p, err := s.Snapshot()
	must(t, err)
	for i := range int64(2 * maxIndexFiles) { // index files are merged, too
		h.write(t, s, h.points(fmt.Sprint("m,b=", i), i))
		must(t, s.Flush(ctx))
	}
	must(t, s.Compact(ctx))
	must(t, s.Close())
	if _, err := p.Open(currentName); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("Open of a file that is not of the snapshot: %v", err)
	}
	fs := vfs.NewMem()
	copyFiles(t, p, fs, "side")
	must(t, Install(fs, "side", p.Manifest()))
	must(t, p.Close())
	if got := filesOf(t, mem, segmentSuffix, indexSuffix); len(got) > 2+maxIndexFiles {
		t.Errorf("after the snapshot was closed there are still %q", got)
	}
	for _, f := range p.Files {
		if slices.Contains(filesOf(t, mem, segmentSuffix, indexSuffix), f.Name) {
			t.Errorf("%s is still there", f.Name)
		}
	}
}

func TestInstallFindsWhatIsMissingOrDamaged(t *testing.T) {
	s, _ := snapshotted(t, vfs.NewMem())
	p, err := s.Snapshot()
	must(t, err)
	defer p.Close()
	clean := vfs.NewMem()
	copyFiles(t, p, clean, "side")
	must(t, clean.SyncDir("."))
	must(t, clean.SyncDir("side"))
	for _, f := range p.Files {
		syncAll(t, clean, "side/"+f.Name)
	}
	bad := func(what string, manifest []byte, spoil func(fs *vfs.Mem)) {
		t.Helper()
		fs := clean.CrashClone(nil)
		spoil(fs)
		if err := Install(fs, "side", manifest); !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("%s: Install = %v, want ErrCorrupt", what, err)
		}
		if names, _ := fs.List("side"); slices.Contains(names, currentName) {
			t.Errorf("%s: there is a shard", what)
		}
	}
	for _, f := range p.Files {
		name := "side/" + f.Name
		bad(f.Name+" is missing", p.Manifest(), func(fs *vfs.Mem) { must(t, fs.Remove(name)) })
		bad(f.Name+" is cut off", p.Manifest(), func(fs *vfs.Mem) {
			overwrite(t, fs, name, contentOfFile(t, fs, name)[:f.Size-1])
		})
		for at := int64(0); at < f.Size; at += 1 + f.Size/40 {
			bad(fmt.Sprintf("byte %d of %s", at, f.Name), p.Manifest(), func(fs *vfs.Mem) {
				b := contentOfFile(t, fs, name)
				b[at] ^= 0x20
				overwrite(t, fs, name, b)
			})
		}
	}
	for i := range p.Manifest() {
		b := slices.Clone(p.Manifest())
		b[i] ^= 1
		bad(fmt.Sprintf("byte %d of the manifest", i), b, func(*vfs.Mem) {})
		bad(fmt.Sprintf("%d bytes of the manifest", i), p.Manifest()[:i], func(*vfs.Mem) {})
	}
	e := s.copyLocked()
	for what, spoil := range map[string]func(e *edit){
		"a frontier":            func(e *edit) { e.frontier = 1 },
		"no set":                func(e *edit) { e.applied = nil },
		"a file dropped":        func(e *edit) { e.dropFiles = []uint64{1} },
		"a file twice":          func(e *edit) { e.addFiles = append(slices.Clone(e.addFiles), e.addFiles[0]) },
		"a number used again":   func(e *edit) { e.nextID = 1 },
		"no index":              func(e *edit) { e.addIndexes = nil },
		"a delete too new":      func(e *edit) { e.nextDelete = 0 },
		"an index with a gap":   func(e *edit) { e.addIndexes = e.addIndexes[1:] },
		"a delete without item": func(e *edit) { e.applied = &model.BatchSet{} },
	} {
		x := *e
		spoil(&x)
		bad(what, appendRecord(nil, &x), func(*vfs.Mem) {})
	}
	fs := clean.CrashClone(nil)
	must(t, Install(fs, "side", p.Manifest()))
	if err := Install(fs, "side", p.Manifest()); !errors.Is(err, model.ErrConflict) {
		t.Errorf("Install over a shard: %v, want ErrConflict", err)
	}
}

func syncAll(t *testing.T, fs vfs.FS, name string) {
	t.Helper()
	f, err := fs.OpenAppend(name)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
}

// A power cut at any moment of Install leaves no shard, or a whole one.
func TestCrashDuringInstallLeavesNoHalfShard(t *testing.T) {
	s, h := snapshotted(t, vfs.NewMem())
	p, err := s.Snapshot()
	must(t, err)
	defer p.Close()
	mem := vfs.NewMem()
	copyFiles(t, p, mem, "side")
	shards := 0
	fs := vfs.NewFailing(mem, func(op vfs.Op) error {
		if !op.Kind.Mutates() {
			return nil
		}
		for range 4 {
			c := mem.CrashClone(func() bool { return h.rng.IntN(2) == 0 })
			if names, _ := c.List("side"); !slices.Contains(names, currentName) {
				continue
			}
			shards++
			o, err := Open(c, "side", h.config())
			if err != nil {
				t.Errorf("before %v: %v", op, err)
				continue
			}
			compare(t, read(t, o, model.AllTime), contentOf(h.taken[:3]))
			must(t, o.Close())
		}
		return nil
	})
	must(t, Install(fs, "side", p.Manifest()))
	if shards == 0 {
		t.Error("no crash came late enough")
	}
}

func checkSameDigest(t *testing.T, a, b *Shard) {
	t.Helper()
	x, err := a.Digest(t.Context())
	must(t, err)
	y, err := b.Digest(t.Context())
	must(t, err)
	if x.Hash != y.Hash || x.Rows != y.Rows || !x.Applied.Equal(y.Applied) {
		t.Errorf("digests %x of %d rows and %x of %d", x.Hash, x.Rows, y.Hash, y.Rows)
	}
}

// One shard is flushed after every batch and compacted, one is all memory: each
// cell that differs makes another digest.
func TestDigestIsOfTheContent(t *testing.T) {
	var all []*model.Batch
	h := newHistory(3)
	for range 30 {
		all = append(all, h.rows(40))
	}
	wide := &model.Batch{Series: []model.Series{{Hash: model.HashSeriesKey([]byte("wide"), hashSeed), Key: []byte("wide")}}}
	table := model.Table{Measurement: "wide", Series: []uint32{0}, Times: []int64{7}}
	for i := range 2*digestFields + 3 {
		c := model.Column{Field: model.Field{Name: fmt.Sprint("f", i), Type: model.Integer}}
		c.AppendBits(uint64(i))
		table.Columns = append(table.Columns, c)
	}
	wide.Tables = []model.Table{table}
	all = append(all, h.stamp(wide))
	digest := func(batches []*model.Batch, often bool) Digest {
		t.Helper()
		s, sh := newShard(t, vfs.NewMem(), func(c *Config) { c.Replication = behind() })
		sh.now = h.now.Add(-time.Minute) // takes batches in any order
		for i, b := range batches {
			must(t, s.Write(t.Context(), b))
			if often {
				must(t, s.Flush(t.Context()))
			}
			if often && i%7 == 0 {
				must(t, s.Compact(t.Context()))
			}
		}
		d, err := s.Digest(t.Context())
		must(t, err)
		return d
	}
	want := digest(all, false)
	back := slices.Clone(all)
	slices.Reverse(back)
	if got := digest(back, true); got.Hash != want.Hash || got.Rows != want.Rows {
		t.Errorf("one set has digests %x of %d rows and %x of %d", want.Hash, want.Rows, got.Hash, got.Rows)
	}
	seen := map[[16]byte]string{want.Hash: "all"}
	differs := func(what string, batches []*model.Batch) {
		t.Helper()
		d := digest(batches, false)
		if other, ok := seen[d.Hash]; ok {
			t.Errorf("%s has the digest of %s", what, other)
		}
		seen[d.Hash] = what
	}
	differs("without the last", all[:len(all)-1])
	last := func(change func(b *model.Batch, t *model.Table)) []*model.Batch {
		b := *wide
		b.Series = slices.Clone(b.Series)
		x := b.Tables[0]
		x.Times, x.Columns = slices.Clone(x.Times), slices.Clone(x.Columns)
		change(&b, &x)
		b.Tables = []model.Table{x}
		return append(slices.Clone(all[:len(all)-1]), &b)
	}
	differs("another time", last(func(_ *model.Batch, x *model.Table) { x.Times[0]++ }))
	differs("another value", last(func(_ *model.Batch, x *model.Table) { x.Columns[digestFields+1].Bits = []uint64{1} }))
	differs("another field", last(func(_ *model.Batch, x *model.Table) { x.Columns[5].Name = "g" }))
	differs("another type", last(func(_ *model.Batch, x *model.Table) { x.Columns[5].Type = model.Unsigned }))
	differs("another series", last(func(b *model.Batch, x *model.Table) {
		key := []byte("wide,a=1")
		b.Series[0] = model.Series{Hash: model.HashSeriesKey(key, hashSeed), Key: key}
	}))
	differs("values of two fields changed", last(func(_ *model.Batch, x *model.Table) {
		x.Columns[5].Bits, x.Columns[6].Bits = x.Columns[6].Bits, x.Columns[5].Bits
	}))
}
