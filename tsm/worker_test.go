package tsm

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// workedShard gives a shard in memory that w works on, and who knows what it
// holds, on the clock of the bubble.
func workedShard(t *testing.T, w *Worker, fs vfs.FS, change func(*Config)) (*Shard, *history) {
	t.Helper()
	h := newHistory(1)
	cfg := h.config()
	cfg.Now, cfg.Worker = time.Now, w
	if change != nil {
		change(&cfg)
	}
	s, err := Open(fs, "shards/1", cfg)
	must(t, err)
	return s, h
}

// put writes rows at the time that it is.
func (h *history) put(t *testing.T, s *Shard, times ...int64) error {
	t.Helper()
	h.now = time.Now()
	b := h.points("m", times...)
	err := s.Write(context.Background(), b)
	if err == nil {
		h.taken = append(h.taken, b)
	}
	return err
}

func TestWritersAreSlowedDownAndStoppedWhileMergesAreBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorker(WorkerConfig{})
		s, h := workedShard(t, w, vfs.NewMem(), nil)
		ctx := context.Background()
		hold := func(until time.Time) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.mu.retryAt[mergeWork] = until
		}
		hold(time.Now().Add(time.Hour))
		var took [stopFiles]time.Duration
		for n := range took {
			start := time.Now()
			must(t, h.put(t, s, int64(n)))
			took[n] = time.Since(start)
			must(t, s.Flush(ctx))
		}
		if took[slowFiles-1] != 0 {
			t.Errorf("with %d small files a batch took %v", slowFiles-1, took[slowFiles-1])
		}
		if took[slowFiles] == 0 || took[stopFiles-1] != maxSlowWait {
			t.Errorf("with %d small files a batch took %v, with %d %v", slowFiles, took[slowFiles], stopFiles-1, took[stopFiles-1])
		}
		start := time.Now()
		if err := h.put(t, s, 1000); !errors.Is(err, model.ErrOverloaded) {
			t.Errorf("with %d small files: %v, want ErrOverloaded", stopFiles, err)
		}
		if waited := time.Since(start); waited < maxRoomWait {
			t.Errorf("refused after %v", waited)
		}
		h.now = time.Now()
		h.write(t, s, h.stamp(&model.Batch{Delete: &model.Delete{Range: model.TimeRange{Min: 3, Max: 4}}})) // deletes need no room
		hold(time.Time{})
		time.Sleep(time.Minute)
		must(t, h.put(t, s, 1001))
		h.check(t, s)
		must(t, s.Close())
		must(t, w.Close())
	})
}

func TestShardWithTheMostToDoComesFirst(t *testing.T) {
	w := &Worker{}
	w.mu.wake = sync.NewCond(&w.mu)
	shards := make([]*Shard, 5)
	for i, backlog := range []int64{3, 7, 5, 7, 1} {
		shards[i] = &Shard{}
		shards[i].backlog[mergeWork].Store(backlog)
		w.enqueue(shards[i], mergeWork)
		w.enqueue(shards[i], mergeWork) // once is enough
	}
	w.enqueue(shards[4], applyWork)
	for _, want := range []int{1, 3, 2, 0, 4} {
		if s, kind := w.next([]work{mergeWork, applyWork}); s != shards[want] || kind != mergeWork {
			t.Fatalf("shard %d does not come in its turn", want)
		}
	}
	if s, kind := w.next([]work{mergeWork, applyWork}); s != shards[4] || kind != applyWork {
		t.Error("less urgent work does not come after all")
	}
}

func TestUrgentWorkSlowsDownWhatIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorker(WorkerConfig{})
		yields := func(kind work) time.Duration {
			start := time.Now()
			must(t, w.yield(t.Context(), kind, 1<<20))
			return time.Since(start)
		}
		w.busy[mergeWork].Add(1)
		if took := yields(mergeWork); took != 0 {
			t.Errorf("a merge waits %v for another", took)
		}
		if took := yields(coldWork); took != pause {
			t.Errorf("the rewriting of a cold shard waits %v for a merge, want %v", took, pause)
		}
		w.busy[mergeWork].Add(-1)
		if took := yields(coldWork); took != 0 {
			t.Errorf("waits %v for nothing", took)
		}
		must(t, w.Close())
	})
}

func TestCompactionKeepsToItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 1 << 20
		w := NewWorker(WorkerConfig{CompactionRate: rate})
		s, h := workedShard(t, w, vfs.NewMem(), nil)
		ctx := context.Background()
		rng := rand.New(rand.NewPCG(1, 1))
		for i := range int64(2) {
			h.now = time.Now()
			b := h.points("m", upTo(150_000)...)
			for k := range b.Tables[0].Times {
				b.Tables[0].Times[k] += 150_000 * i
				b.Tables[0].Columns[0].Bits[k] = rng.Uint64()
			}
			h.write(t, s, b)
			start := time.Now()
			must(t, s.Flush(ctx))
			if took := time.Since(start); took != 0 {
				t.Errorf("a flush waited %v", took)
			}
		}
		size, start := s.Info().DiskBytes, time.Now()
		must(t, s.Compact(ctx))
		least := time.Duration(size) * time.Second / rate
		if took := time.Since(start); took < least || took > 3*least {
			t.Errorf("%d bytes were read and written anew in %v at %d bytes a second", size, took, rate)
		}
		must(t, s.Close())
		must(t, w.Close())
	})
}

// A disk that has lost a bit is found out although nobody reads there.
func TestScrubFindsDamageThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		w := NewWorker(WorkerConfig{ScrubRate: 5 << 20})
		s, h := workedShard(t, w, fs, nil)
		for i := range int64(2) {
			must(t, h.put(t, s, steady(1000*i, 1000)...))
			must(t, s.Flush(context.Background()))
		}
		name := s.mu.files[0].name
		must(t, s.Close())
		flip(t, fs, name, 100)
		s, _ = workedShard(t, w, fs, nil)
		for _, f := range s.mu.files { // else at random, perhaps soon
			f.scrub.due.Store(time.Now().Add(scrubAfter).Unix())
		}
		time.Sleep(2 * scrubLook)
		if n := s.Info().Quarantined; n != 0 {
			t.Fatalf("%d files were quarantined at once", n)
		}
		time.Sleep(scrubAfter + scrubLook)
		if n := s.Info().Quarantined; n != 1 {
			t.Errorf("%d files are quarantined, want the one that is damaged", n)
		}
		if err := s.Damaged(); !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("Damaged: %v, want ErrCorrupt", err)
		}
		must(t, s.Close())
		must(t, w.Close())
	})
}

// flip changes a bit of a file.
func flip(t *testing.T, fs vfs.FS, name string, at int64) {
	t.Helper()
	content, err := vfs.ReadFile(fs, name, 1<<20)
	must(t, err)
	content[at] ^= 4
	must(t, vfs.WriteFile(fs, name, content))
}

func TestMergesOfAShardThatIsWrittenToAreBounded(t *testing.T) {
	for _, c := range []struct {
		sizes []int64
		want  int
	}{
		{[]int64{1, 1, 1, 1}, 4},
		{[]int64{1000, 1, 20, 30, 40, 1, 1}, 6},
		{[]int64{500, 500, 500}, 2},
		{[]int64{2000, 2000}, 0},
	} {
		var files []*file
		for _, mib := range c.sizes {
			files = append(files, &file{meta: fileMeta{size: mib << 20}})
		}
		if got := len(withinMerge(files)); got != c.want {
			t.Errorf("of files of %v MiB %d are merged, want %d", c.sizes, got, c.want)
		}
	}
}
