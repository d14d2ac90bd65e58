package tsm

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// others is what a shard hears of the other owners.
type others struct {
	frontier model.HLC
	has      *model.BatchSet // nil: everything
}

func (o *others) Frontier() model.HLC { return o.frontier }

func (o *others) Known(ids *model.BatchSet) bool { return o.has == nil || o.has.ContainsAll(ids) }

// behind is others that have nothing.
func behind() *others { return &others{has: &model.BatchSet{}} }

// fetch gives what Fetch does, by counter of the batches.
func fetch(t *testing.T, s *Shard, want *model.BatchSet) (got []*model.Batch, trimmed *model.BatchSet) {
	t.Helper()
	trimmed, err := s.Fetch(t.Context(), want, func(b *model.Batch) error {
		got = append(got, b)
		return nil
	})
	must(t, err)
	return got, trimmed
}

func seqsOf(batches []*model.Batch) (seqs []uint64) {
	for _, b := range batches {
		seqs = append(seqs, b.ID.Seq)
	}
	return seqs
}

func idsOf(batches ...*model.Batch) *model.BatchSet {
	set := &model.BatchSet{}
	for _, b := range batches {
		set.Add(b.ID)
	}
	return set
}

func TestLogStaysUntilAllOwnersHaveIt(t *testing.T) {
	fs, other := vfs.NewMem(), behind()
	s, h := newShard(t, fs, func(c *Config) { c.Replication = other })
	ctx := t.Context()
	for i := range int64(3) {
		h.write(t, s, h.points("m", i))
		must(t, s.Flush(ctx))
	}
	h.write(t, s, h.points("m", 9))
	h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.TimeRange{Max: 1}}}))
	all := idsOf(h.taken...)
	reopen := func() {
		t.Helper()
		must(t, s.Close())
		cfg := h.config()
		cfg.Replication = other
		var err error
		s, err = Open(fs, "shards/1", cfg)
		must(t, err)
		t.Cleanup(func() { s.Close() })
	}
	for range 2 { // as it was, and after a start
		h.check(t, s)
		if set, recent := s.Applied(); !set.Equal(all) || len(recent) != 5 {
			t.Errorf("applied are %d batches, %d of them recent, want 5", set.Len(), len(recent))
		}
		got, trimmed := fetch(t, s, all)
		if !slices.Equal(seqsOf(got), []uint64{1, 2, 3, 4, 5}) || !trimmed.Empty() {
			t.Errorf("fetched %v, %d trimmed", seqsOf(got), trimmed.Len())
		}
		if since := s.Info().LogSince; !since.Equal(h.taken[0].Version.HLC.Time()) {
			t.Errorf("the log is there since %v, want %v", since, h.taken[0].Version.HLC.Time())
		}
		reopen()
	}
	// A file goes when all in it is known, and not what comes after one that is not.
	other.has = idsOf(h.taken[0], h.taken[2])
	must(t, s.ReleaseLog())
	got, trimmed := fetch(t, s, all)
	if !slices.Equal(seqsOf(got), []uint64{2, 3, 4, 5}) || !trimmed.Equal(idsOf(h.taken[0])) {
		t.Errorf("fetched %v, %d trimmed", seqsOf(got), trimmed.Len())
	}
	// What is in no file stays, whoever has it.
	other.has = all
	must(t, s.ReleaseLog())
	if got, _ := fetch(t, s, all); !slices.Equal(seqsOf(got), []uint64{4, 5}) {
		t.Errorf("fetched %v", seqsOf(got))
	}
	must(t, s.Flush(ctx))
	if got, trimmed := fetch(t, s, all); len(got) > 0 || !trimmed.Equal(all) || !s.Info().LogSince.IsZero() {
		t.Errorf("fetched %v, %d trimmed, log since %v", seqsOf(got), trimmed.Len(), s.Info().LogSince)
	}
	reopen()
	h.check(t, s)
}

func TestFetchGivesEachKeyOnce(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), func(c *Config) { c.Replication = behind() })
	for i, key := range []string{"m,a=1", "m,a=2", "m,a=1", "m,a=2"} {
		h.write(t, s, h.points(key, int64(i)))
		if i%2 == 1 {
			must(t, s.Flush(t.Context()))
		}
	}
	check := func(want []*model.Batch, keys ...string) {
		t.Helper()
		got, _ := fetch(t, s, idsOf(want...))
		var have []string
		for _, b := range got {
			have = append(have, string(b.Series[0].Key))
		}
		if !slices.Equal(have, keys) {
			t.Errorf("keys are %q, want %q", have, keys)
		}
	}
	check(h.taken, "m,a=1", "m,a=2", "", "")
	check(h.taken[1:], "m,a=2", "m,a=1", "")
	check(h.taken[3:], "m,a=2")

	// A shard that knows none of the series can take the stream.
	other, oh := newShard(t, vfs.NewMem(), nil)
	oh.now = h.now
	got, _ := fetch(t, s, idsOf(h.taken...))
	for _, b := range got {
		must(t, other.Write(t.Context(), b))
	}
	h.check(t, other)
}

func TestBatchThatWaitsForItsSyncIsNotApplied(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), func(c *Config) { c.Replication = behind() })
	h.write(t, s, h.points("m", 1))
	b := h.points("m", 2)
	_, _, err := s.begin(b)
	must(t, err)
	all := idsOf(h.taken[0], b)
	if set, recent := s.Applied(); !set.Equal(idsOf(h.taken[0])) || len(recent) != 1 {
		t.Errorf("applied are %d batches, %d recent", set.Len(), len(recent))
	}
	if got, trimmed := fetch(t, s, all); !slices.Equal(seqsOf(got), []uint64{1}) || !trimmed.Empty() {
		t.Errorf("fetched %v, %d trimmed", seqsOf(got), trimmed.Len())
	}
	must(t, s.Write(t.Context(), b)) // a duplicate waits for the same sync
	h.taken = append(h.taken, b)
	if set, _ := s.Applied(); !set.Equal(all) {
		t.Errorf("applied are %d batches, want 2", set.Len())
	}
	h.check(t, s)
}

func TestRecentVersionsAreOfTheLastMinute(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	for i := range int64(2000) {
		h.now = h.now.Add(time.Second)
		h.write(t, s, h.points("m", i))
	}
	_, recent := s.Applied()
	last := h.taken[len(h.taken)-1].Version.HLC.Time()
	if len(recent) < 30 || len(recent) > 61 || last.Sub(recent[0].HLC.Time()) > recentSpan {
		t.Errorf("%d recent versions of the last %v", len(recent), last.Sub(recent[0].HLC.Time()))
	}
	if n := len(s.mu.recent.all); n > 500 {
		t.Errorf("%d versions are kept", n)
	}
}

func TestFetchEndsWithItsReceiver(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	h.write(t, s, h.points("m", 1))
	for _, want := range []error{errors.New("gone"), model.ErrCorrupt} {
		if _, err := s.Fetch(t.Context(), idsOf(h.taken...), func(*model.Batch) error { return want }); !errors.Is(err, want) {
			t.Errorf("Fetch = %v, want %v", err, want)
		}
	}
	if err := s.Damaged(); err != nil {
		t.Errorf("an error of the receiver is damage: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Fetch(ctx, idsOf(h.taken...), func(*model.Batch) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Fetch = %v, want Canceled", err)
	}
}

func TestDamagedLogAndFilesAreToldOf(t *testing.T) {
	mem := vfs.NewMem()
	s, h := newShard(t, mem, func(c *Config) { c.Replication = behind() })
	h.write(t, s, h.points("m", 1))
	must(t, s.Flush(t.Context()))
	must(t, s.Damaged())
	spoil := func(name string, at int) {
		t.Helper()
		b := contentOfFile(t, mem, name)
		b[len(b)+at] ^= 1
		f, err := mem.Create(name) // open readers see it
		must(t, err)
		_, err = f.Write(b)
		must(t, err)
		must(t, f.Close())
	}
	log, err := mem.List("shards/1/" + logDir)
	must(t, err)
	spoil("shards/1/"+logDir+"/"+log[0], -5)
	if _, err := s.Fetch(t.Context(), idsOf(h.taken...), func(*model.Batch) error { return nil }); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("Fetch of a damaged log: %v, want ErrCorrupt", err)
	}
	if err := s.Damaged(); !errors.Is(err, model.ErrCorrupt) || !strings.Contains(err.Error(), "log") {
		t.Errorf("Damaged = %v", err)
	}

	other, h := newShard(t, vfs.NewMem(), nil)
	h.write(t, other, h.points("m", 1))
	must(t, other.Flush(t.Context()))
	other.mu.files[0].quarantine(errors.New("rot"))
	if err := other.Damaged(); !errors.Is(err, model.ErrCorrupt) || !strings.Contains(err.Error(), segmentName(other.mu.files[0].meta.id)) {
		t.Errorf("Damaged = %v", err)
	}
	if _, err := other.Snapshot(); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("Snapshot of a damaged shard: %v, want ErrCorrupt", err)
	}
}

// A batch without rows counts as held, too, when its log is gone.
func TestBatchWithoutRowsStaysApplied(t *testing.T) {
	fs := vfs.NewMem()
	s, h := newShard(t, fs, nil)
	h.write(t, s, h.stamp(&model.Batch{}))
	want, _ := s.Applied()
	for range 2 {
		must(t, s.Close())
		var err error
		s, err = Open(fs, "shards/1", h.config())
		must(t, err)
		if got, _ := s.Applied(); !got.Equal(want) {
			t.Errorf("applied are %d batches after a start, want 1", got.Len())
		}
		must(t, s.Flush(t.Context()))
	}
	must(t, s.Close())
}

func TestFrontierOfOthersBinds(t *testing.T) {
	other := &others{}
	s, h := newShard(t, vfs.NewMem(), func(c *Config) { c.Replication = other })
	ctx := t.Context()
	early := h.points("m", 5)
	h.write(t, s, h.points("m", 5))
	h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.TimeRange{Max: 3}}}))
	h.now = h.now.Add(time.Hour)
	must(t, s.Flush(ctx))
	must(t, s.Compact(ctx))
	if !s.mu.files[0].meta.versioned || len(s.mu.deletes.all) != 1 {
		t.Errorf("with a frontier of 0 versions are dropped or a delete is forgotten")
	}
	h.write(t, s, early) // it may come whenever it likes
	h.check(t, s)
	other.frontier = model.NewHLC(h.now)
	must(t, s.Flush(ctx))
	must(t, s.Compact(ctx))
	if len(s.mu.files) != 1 || s.mu.files[0].meta.versioned || len(s.mu.deletes.all) != 0 {
		t.Errorf("below the frontier %d files keep versions, or %d deletes are remembered", len(s.mu.files), len(s.mu.deletes.all))
	}
	h.check(t, s)
	late := *early
	late.ID.Seq, late.Version.ID.Seq = 99, 99
	if err := s.Write(ctx, &late); !errors.Is(err, model.ErrStale) {
		t.Errorf("write below the frontier: %v, want ErrStale", err)
	}
}
