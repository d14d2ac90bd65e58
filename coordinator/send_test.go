package coordinator

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/model"
)

func TestAStaleOwnerIsSentWhatAnotherHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var from uint64
		stale := &peer{
			write: func(context.Context, data.ShardRef, *model.Batch) error { return model.ErrStale },
			held:  func(by uint64) error { from = by; return nil },
		}
		c := newCluster(t, DefaultConfig(), &peer{}, stale)
		if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), All); err != nil {
			t.Errorf("Write gave %v", err)
		}
		if from != c.ids[0] {
			t.Errorf("sent as held by %d, want %d", from, c.ids[0])
		}
	})
}

func TestAnOwnerOverItsBudgetIsNotSentTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var mu sync.Mutex
		sent := 0
		slow := &peer{write: func(context.Context, data.ShardRef, *model.Batch) error {
			mu.Lock()
			sent++
			mu.Unlock()
			<-hang
			return nil
		}}
		cfg := DefaultConfig()
		cfg.PeerBytes = 3 * batch([]row{{"v": 1.0}}, time.Now()).MemoryBytes()
		c := newCluster(t, cfg, &peer{}, slow)
		for range 10 {
			if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), One); err != nil {
				t.Fatalf("Write gave %v: a slow owner must not delay another", err)
			}
			synctest.Wait()
		}
		mu.Lock()
		if sent != 3 {
			t.Errorf("the slow owner was sent %d batches, want 3", sent)
		}
		mu.Unlock()
		if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), All); !errors.Is(err, model.ErrOverloaded) {
			t.Errorf("Write at all gave %v, want ErrOverloaded", err)
		}
		close(hang)
		c.writer.Close()
		if n := len(c.peers[0].all()); n != 11 {
			t.Errorf("the other owner has %d batches, want all 11", n)
		}
	})
}

func TestTheOnlyOwnerHasNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		cfg := DefaultConfig()
		cfg.PeerBytes = 1
		c := newCluster(t, cfg, &peer{write: func(context.Context, data.ShardRef, *model.Batch) error { <-hang; return nil }})
		var done sync.WaitGroup
		for range 4 {
			done.Go(func() {
				if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), One); err != nil {
					t.Errorf("Write gave %v", err)
				}
			})
		}
		synctest.Wait()
		close(hang)
		done.Wait()
	})
}

func TestASilentOwnerIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		silent := &peer{write: func(context.Context, data.ShardRef, *model.Batch) error { <-hang; return nil }}
		c := newCluster(t, DefaultConfig(), &peer{}, silent, silent)
		start := time.Now()
		err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), Quorum)
		if !errors.Is(err, model.ErrUnavailable) || err.Error() != "write consistency not met: acked 1 of 2 (no answer from b, c)" || time.Since(start) != DefaultConfig().WriteTimeout {
			t.Errorf("Write gave %v after %v", err, time.Since(start))
		}
		close(hang)
	})
}

func TestAPanicAtAnOwnerIsItsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := &peer{write: func(context.Context, data.ShardRef, *model.Batch) error { panic("boom") }}
		c := newCluster(t, DefaultConfig(), bad, &peer{})
		if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), One); err != nil {
			t.Errorf("Write at one gave %v", err)
		}
		if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), All); !errors.Is(err, model.ErrUnavailable) || contains(err, "boom") {
			t.Errorf("Write at all gave %v", err)
		}
	})
}

func TestOwnersThatKnowOthersMakeTheWriterLookAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		moved := 0
		p := &peer{write: func(_ context.Context, s data.ShardRef, _ *model.Batch) error {
			if s.Revision == 0 {
				t.Error("sent without the revision of the owners")
			}
			if moved++; moved < 3 {
				return model.ErrMoved
			}
			return nil
		}}
		c := newCluster(t, DefaultConfig(), p)
		if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), One); err != nil {
			t.Errorf("Write gave %v", err)
		}
		c.writer.Close()
		if got := p.all(); len(got) != 1 || got[0].ID.Seq != 1 {
			t.Errorf("the owner has %v, want the batch as it was first stamped", got)
		}
	})
}

func TestAClockThatIsOffStampsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, DefaultConfig(), &peer{})
		off := errors.New("clock is off")
		c.writer.CheckClock(func() error { return off })
		if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), One); !errors.Is(err, model.ErrUnavailable) || !errors.Is(err, off) {
			t.Errorf("Write gave %v", err)
		}
		if n := len(c.peers[0].all()); n != 0 {
			t.Errorf("%d batches were sent", n)
		}
	})
}

// A WaitGroup may not be added to while it is waited for: a write that began
// while the server stopped was a panic.
func TestAWriteMayComeWhileTheWriterCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, DefaultConfig(), &peer{})
		var done sync.WaitGroup
		for range 8 {
			done.Go(func() {
				for range 20 {
					if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), One); err != nil && !errors.Is(err, model.ErrUnavailable) {
						t.Errorf("Write gave %v", err)
					}
				}
			})
		}
		c.writer.Close()
		done.Wait()
		if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), One); !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("Write after Close gave %v", err)
		}
		c.writer.Close()
	})
}

func TestABatchTooLargeForAMessageIsCutInOrder(t *testing.T) {
	const rows = 1_000
	const limit = 20_000
	values := make([]map[string]any, rows)
	times := make([]time.Time, rows)
	text := string(make([]byte, 50))
	for i := range values {
		values[i] = map[string]any{"v": text}
		times[i] = time.Unix(0, int64(i))
	}
	p := part{batch: batch(values, times...)}
	next := int64(0)
	pieces := p.pieces(limit)
	for _, piece := range pieces {
		if n := piece.batch.MemoryBytes(); n > limit {
			t.Errorf("a piece takes %d bytes", n)
		}
		for _, at := range piece.batch.Tables[0].Times {
			if at != next {
				t.Fatalf("row %d comes after row %d", at, next-1)
			}
			next++
		}
	}
	if next != rows || len(pieces) < 3 {
		t.Errorf("%d rows in %d pieces", next, len(pieces))
	}
}

func TestLeftoversAreWrittenAnewAtMoreThanHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := oneShard(t, &peer{}, &peer{}, &peer{})
		c.ring.reach(c.ids[2], nil)
		g := groups(c)[0]
		old := batch([]row{{"v": 1.0}}, time.Now())
		old.ID = model.BatchID{Origin: 99, Epoch: 1, Seq: 5}
		ref := shardRef(g, &g.Shards[0])
		if err := c.writer.WriteAnew(t.Context(), ref, old); err != nil {
			t.Fatal(err)
		}
		if old.ID.Origin != 99 {
			t.Error("the leftover itself was stamped")
		}
		for _, p := range c.peers[:2] {
			if got := p.all(); len(got) != 2 || got[1].ID.Origin != c.ids[0] {
				t.Errorf("an owner has %v", got)
			}
		}
		c.ring.reach(c.ids[1], nil)
		if err := c.writer.WriteAnew(t.Context(), ref, old); !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("WriteAnew to one of three gave %v", err)
		}
		ref.Shard = 4711
		if err := c.writer.WriteAnew(t.Context(), ref, old); err != nil {
			t.Errorf("WriteAnew of a shard that is gone gave %v", err)
		}
	})
}
