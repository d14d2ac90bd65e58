package wal_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"path"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/wal"
)

// history is what was done to a log, and what that promises of it.
type history struct {
	tried   [][]byte // in order, without series; batch i has seq i+1
	refused map[uint64]bool
	acked   uint64 // the last that Sync covered: all of them up to it
	inLog   map[wal.LSN]uint64
	trimmed uint64 // batches up to it may be gone
	rotated []rotation
}

// rotation is what Rotate said: batches up to seq are in files up to id.
type rotation struct {
	id  wal.FileID
	seq uint64
}

// plainBytes gives a batch in binary form without its series, whose keys come
// and go.
func plainBytes(b *model.Batch) []byte {
	plain := *b
	plain.Series = nil
	return model.AppendBatch(nil, &plain)
}

// check opens a log that crashed and compares it with the history. Then it
// writes, crashes it once more and expects no less: what was replayed counts as
// durable.
func (h *history) check(t *testing.T, m *vfs.Mem, cfg wal.Config) {
	t.Helper()
	first, second := &replayed{}, &replayed{}
	l, err := wal.Open(m, "shard/log", cfg, first.replay)
	if err != nil {
		t.Fatalf("open after the crash: %v", err)
	}
	h.checkReplay(t, first)
	lsn, err := l.Append(newBatch(1<<40, 1), keyOf)
	if err == nil {
		err = l.Sync(lsn)
	}
	if err != nil {
		t.Fatalf("write after the crash: %v", err)
	}
	if _, err := wal.Open(m.CrashClone(nil), "shard/log", cfg, second.replay); err != nil {
		t.Fatalf("open after the crash that followed: %v", err)
	}
	if want, got := append(first.seqs(), 1<<40), second.seqs(); !slices.Equal(got, want) {
		t.Fatalf("replayed %v, and after one batch more and a crash %v", want, got)
	}
}

func (h *history) checkReplay(t *testing.T, r *replayed) {
	t.Helper()
	keys := map[wal.FileID]map[model.SeriesHash]bool{}
	next := uint64(1)
	for i, b := range r.batches {
		seq := b.ID.Seq
		if i == 0 { // what is trimmed goes from the oldest on
			next = min(seq, h.trimmed+1)
		}
		for h.refused[next] && next < seq {
			next++
		}
		if seq != next {
			t.Fatalf("batch %d replayed where %d was due; acked %d, trimmed %d", seq, next, h.acked, h.trimmed)
		}
		next++
		h.checkBatch(t, b)
		if keys[r.files[i]] == nil {
			keys[r.files[i]] = map[model.SeriesHash]bool{}
		}
		for _, s := range b.Series {
			if s.Key == nil && !keys[r.files[i]][s.Hash] {
				t.Fatalf("batch %d: no key of series %v in file %d", seq, s.Hash, r.files[i])
			}
			keys[r.files[i]][s.Hash] = true
		}
	}
	if last := next - 1; last < h.acked && h.acked > h.trimmed {
		for seq := next; seq <= h.acked; seq++ {
			if !h.refused[seq] {
				t.Fatalf("acknowledged batch %d is lost; trimmed %d, replayed %v", seq, h.trimmed, r.seqs())
			}
		}
	}
}

func (h *history) checkBatch(t *testing.T, b *model.Batch) {
	t.Helper()
	seq := b.ID.Seq
	if seq == 0 || seq > uint64(len(h.tried)) {
		t.Fatalf("batch %d was never written", seq)
	}
	if got := plainBytes(b); !bytes.Equal(got, h.tried[seq-1]) {
		t.Fatalf("batch %d was replayed as another: written %x, replayed %x", seq, h.tried[seq-1], got)
	}
}

// run does n random things to a log on fs, until one fails for good.
func (h *history) run(r *rand.Rand, fs vfs.FS, cfg wal.Config, n int) error {
	ignore := func(wal.FileID, *model.Batch) error { return nil }
	l, err := wal.Open(fs, "shard/log", cfg, ignore)
	if err != nil {
		return err
	}
	defer func() {
		if l != nil { // opening it again failed
			l.Close()
		}
	}()
	last := wal.LSN(0)
	for range n {
		switch p := r.IntN(100); {
		case p < 60:
			last, err = h.append(r, l, last)
		case p < 85:
			if err = l.Sync(last); err == nil {
				h.acked = max(h.acked, h.inLog[last])
			}
		case p < 92:
			err = h.rotateAndTrim(r, l)
		case p < 96:
			if err = l.Close(); err == nil {
				h.acked = max(h.acked, h.inLog[last])
				l, err = wal.Open(fs, "shard/log", cfg, ignore)
			}
		default:
			_, err = l.Rotate()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *history) append(r *rand.Rand, l *wal.Log, last wal.LSN) (wal.LSN, error) {
	var series []uint64
	for range 1 + r.IntN(60) {
		series = append(series, r.Uint64N(100))
	}
	seq := uint64(len(h.tried) + 1)
	b := newBatch(seq, series...)
	h.tried = append(h.tried, plainBytes(b))
	lsn, err := l.Append(b, keyOf)
	switch {
	case errors.Is(err, model.ErrUnavailable):
		h.refused[seq] = true
		return last, nil
	case err != nil:
		return last, err
	}
	h.inLog[lsn] = seq
	return lsn, nil
}

// rotateAndTrim trims to one of the last few rotations.
func (h *history) rotateAndTrim(r *rand.Rand, l *wal.Log) error {
	id, err := l.Rotate()
	if err != nil {
		return err
	}
	h.rotated = append(h.rotated, rotation{id, uint64(len(h.tried))})
	to := h.rotated[len(h.rotated)-1-r.IntN(min(3, len(h.rotated)))]
	h.trimmed = max(h.trimmed, to.seq)
	return l.Trim(to.id)
}

func newHistory() *history {
	return &history{refused: map[uint64]bool{}, inLog: map[wal.LSN]uint64{}}
}

// crashes gives the ways in which a power cut chooses what is kept.
func crashes(r *rand.Rand) []func() bool {
	return []func() bool{
		nil,
		func() bool { return true },
		func() bool { return r.IntN(2) == 0 },
		func() bool { return r.IntN(10) == 0 },
		func() bool { return r.IntN(10) > 0 },
	}
}

func crashConfig() wal.Config {
	cfg := testConfig()
	cfg.FileBytes = 8 << 10
	cfg.SeriesPerFile = 50
	return cfg
}

func TestCrashAtEveryOperationLosesNothing(t *testing.T) {
	r := seeded.Rand(t)
	points, again := 0, 0
	for range 2 {
		h := newHistory()
		m := vfs.NewMem()
		f := vfs.NewFailing(m, func(op vfs.Op) error {
			if !op.Kind.Mutates() {
				return nil
			}
			for _, keep := range crashes(r) {
				c := m.CrashClone(keep)
				points++
				again += h.crashDuringRecovery(t, r, c)
				h.check(t, c, crashConfig())
			}
			return nil
		})
		must(t, h.run(r, f, crashConfig(), 60))
	}
	t.Logf("%d crashes, %d second crashes during recovery", points, again)
	if points < 500 || again < 500 {
		t.Errorf("only %d crashes and %d during recovery", points, again)
	}
}

// crashDuringRecovery opens a copy of a crashed log and crashes it again before
// each thing that Open does to it.
func (h *history) crashDuringRecovery(t *testing.T, r *rand.Rand, crashed *vfs.Mem) int {
	t.Helper()
	c := crashed.CrashClone(nil) // all that is left is durable
	n := 0
	f := vfs.NewFailing(c, func(op vfs.Op) error {
		if op.Kind.Mutates() {
			n++
			h.check(t, c.CrashClone(func() bool { return r.IntN(2) == 0 }), crashConfig())
		}
		return nil
	})
	l, err := wal.Open(f, "shard/log", crashConfig(), func(wal.FileID, *model.Batch) error { return nil })
	if err != nil {
		t.Fatalf("open after the crash: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	return n
}

func TestFailureOfEveryOperationLosesNothing(t *testing.T) {
	r := seeded.Rand(t)
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC, &vfs.ShortWrite{N: 30, Err: syscall.ENOSPC}} {
		seed := r.Uint64()
		failed := 0
		for n := int64(1); ; n++ {
			script := rand.New(rand.NewPCG(seed, 1))
			h := newHistory()
			m := vfs.NewMem()
			hook := vfs.FailNth(n, fault)
			hit := false
			f := vfs.NewFailing(m, func(op vfs.Op) error {
				err := hook(op)
				hit = hit || err != nil
				return err
			})
			_ = h.run(script, f, crashConfig(), 50) // fails, or goes on without the batch
			if !hit {
				break
			}
			failed++
			for _, keep := range crashes(r) {
				h.check(t, m.CrashClone(keep), crashConfig())
			}
			h.check(t, m, crashConfig())
		}
		t.Logf("%v: %d operations failed, one at a time", fault, failed)
	}
}

// damage writes b over the file at off.
func damage(t *testing.T, m *vfs.Mem, name string, change func(b []byte)) {
	t.Helper()
	b, err := vfs.ReadFile(m, name, 1<<30)
	must(t, err)
	change(b)
	must(t, vfs.WriteFile(m, name, b))
}

func TestDamageInAClosedLogIsCorrupt(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	add(t, l, 1, 2, 3)
	size := int(l.Size())
	must(t, l.Close())
	const name = "shard/log/0000000000000001.wal"
	for i := range size {
		c := m.CrashClone(nil)
		damage(t, c, name, func(b []byte) { b[i] ^= 0x40 })
		_, err := wal.Open(c, path.Dir(name), testConfig(), func(wal.FileID, *model.Batch) error { return nil })
		if !errors.Is(err, model.ErrCorrupt) {
			t.Fatalf("byte %d of %d damaged: Open = %v, want ErrCorrupt", i, size, err)
		}
	}
}

func TestDamageBeforeSyncedBatchesIsCorrupt(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	add(t, l, 1)
	first := int(l.Size())
	add(t, l, 2)
	second := int(l.Size())
	add(t, l, 3)
	size := int(l.Size())
	for i := range size {
		c := m.CrashClone(nil) // not closed: the end may be torn
		damage(t, c, "shard/log/0000000000000001.wal", func(b []byte) { b[i] ^= 0x40 })
		r := &replayed{}
		_, err := wal.Open(c, "shard/log", testConfig(), r.replay)
		switch {
		case i < second:
			if !errors.Is(err, model.ErrCorrupt) {
				t.Fatalf("byte %d damaged, batches end at %d, %d, %d: Open = %v, want ErrCorrupt", i, first, second, size, err)
			}
		case err != nil:
			t.Fatalf("byte %d of the last record damaged: Open = %v, want a torn end", i, err)
		default:
			wantSeqs(t, r, 1, 2)
		}
	}
}

func TestMissingAndShortenedFilesAreCorrupt(t *testing.T) {
	cfg := testConfig()
	cfg.FileBytes = 64
	m := vfs.NewMem()
	l, _ := open(t, m, cfg)
	add(t, l, 1, 2, 3)
	must(t, l.Close())
	tests := []struct {
		name string
		do   func(m *vfs.Mem)
	}{
		{"a file is missing", func(m *vfs.Mem) { must(t, m.Remove("shard/log/0000000000000002.wal")) }},
		{"a file has lost its batches", func(m *vfs.Mem) {
			f, err := m.OpenAppend("shard/log/0000000000000002.wal")
			must(t, err)
			must(t, f.Truncate(40))
		}},
		{"a file is another", func(m *vfs.Mem) {
			must(t, m.Rename("shard/log/0000000000000001.wal", "shard/log/0000000000000002.wal"))
		}},
		{"a file is empty", func(m *vfs.Mem) {
			must(t, vfs.WriteFile(m, "shard/log/0000000000000001.wal", nil))
		}},
	}
	for _, tt := range tests {
		c := m.CrashClone(nil)
		tt.do(c)
		_, err := wal.Open(c, "shard/log", cfg, func(wal.FileID, *model.Batch) error { return nil })
		if !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("%s: Open = %v, want ErrCorrupt", tt.name, err)
		}
	}
}

func TestStaleBytesAreNoRecords(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	add(t, l, 1, 2)
	must(t, l.Close())
	old, err := vfs.ReadFile(m, "shard/log/0000000000000001.wal", 1<<20)
	must(t, err)
	other := vfs.NewMem()
	l, _ = open(t, other, testConfig())
	add(t, l, 7)
	c := other.CrashClone(nil)
	f, err := c.OpenAppend("shard/log/0000000000000001.wal")
	must(t, err)
	_, err = f.Write(old[40:]) // whole, valid records of another file
	must(t, err)
	_, r := open(t, c, testConfig())
	wantSeqs(t, r, 7)
}

func FuzzOpen(f *testing.F) {
	m := vfs.NewMem()
	l, err := wal.Open(m, "d", testConfig(), nil)
	if err != nil {
		f.Fatal(err)
	}
	for seq := range uint64(3) {
		if _, err := l.Append(newBatch(seq+1, seq, 2), keyOf); err != nil {
			f.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	const name = "d/0000000000000001.wal"
	whole, err := vfs.ReadFile(m, name, 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-5])
	f.Add(whole[:20])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, p []byte) {
		m := vfs.NewMem()
		must(t, m.MkdirAll("d"))
		must(t, vfs.WriteFile(m, name, p))
		first, second := &replayed{}, &replayed{}
		l, err := wal.Open(m, "d", testConfig(), first.replay)
		if err != nil {
			if !errors.Is(err, model.ErrCorrupt) && !errors.Is(err, model.ErrNotSupported) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		must(t, l.Close())
		_, err = wal.Open(m, "d", testConfig(), second.replay)
		must(t, err)
		if diff := cmp.Diff(first.batches, second.batches); diff != "" {
			t.Errorf("opened twice (-first +second):\n%s", diff)
		}
	})
}
