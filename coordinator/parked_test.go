package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/coordinator/parking"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// parks gives the writer of c a parking log on a disk.
func (c *cluster) parks(t *testing.T, disk vfs.FS) *parking.Log {
	t.Helper()
	l, err := parking.Open(disk, "parked", parking.DefaultConfig(), slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.writer.Parking(l)
	return l
}

// waiting gives how many batches are parked.
func waiting(t *testing.T, l *parking.Log) (n int) {
	t.Helper()
	for id := uint64(0); ; n++ {
		e, err := l.Next(id)
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			return n
		}
		id = e.ID
	}
}

func TestAnyIsParkedUntilAnOwnerIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := oneShard(t, &peer{}, &peer{})
		l := c.parks(t, vfs.NewMem())
		for _, id := range c.ids {
			c.ring.reach(id, nil)
		}
		if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), One); !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("Write at one gave %v", err)
		}
		for range 3 {
			if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), Any); err != nil {
				t.Fatalf("Write at any gave %v", err)
			}
		}
		shards := []query.Shards{allOf("autogen")}
		if err := c.reader.Delete(t.Context(), shards, &model.Delete{Range: model.AllTime}); !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("Delete gave %v: deletes are never parked", err)
		}
		if n := waiting(t, l); n != 3 {
			t.Errorf("%d batches are parked, want 3", n)
		}
		back := time.Now()
		c.ring.reach(c.ids[1], c.peers[1])
		time.Sleep(3 * time.Second)
		if n := waiting(t, l); n != 0 {
			t.Errorf("%d batches are still parked", n)
		}
		got := c.peers[1].all()
		if len(got) != 4 {
			t.Fatalf("the owner has %d batches, want 4", len(got))
		}
		for _, b := range got[1:] {
			if b.Version.HLC.Time().Before(back.Truncate(time.Millisecond)) {
				t.Errorf("stamped at %v, before it was delivered", b.Version.HLC.Time())
			}
		}
	})
}

// A batch whose answer was lost with the process must come with its stamp: an
// owner may hold it.
func TestAParkedBatchKeepsItsStampOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		var first model.BatchID
		silent := make(chan struct{})
		deaf := &peer{write: func(_ context.Context, _ data.ShardRef, b *model.Batch) error {
			first = b.ID
			<-silent
			return errors.New("connection lost")
		}}
		c := oneShard(t, &peer{}, &peer{})
		l := c.parks(t, disk)
		for _, id := range c.ids {
			c.ring.reach(id, nil)
		}
		if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), Any); err != nil {
			t.Fatal(err)
		}
		c.ring.reach(c.ids[0], deaf)
		time.Sleep(2 * time.Second) // it is being sent, and will not be answered
		crashed := disk.CrashClone(func() bool { return false })
		close(silent)
		c.writer.Close()
		synctest.Wait()
		if first.Seq == 0 {
			t.Fatal("nothing was sent")
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}

		// The other owner finds it stale. The one that may hold it is away: the
		// batch must not get another id.
		var offered []model.BatchID
		stale := &peer{write: func(_ context.Context, _ data.ShardRef, b *model.Batch) error {
			offered = append(offered, b.ID)
			return model.ErrStale
		}}
		c.ring.reach(c.ids[0], nil)
		c.ring.reach(c.ids[1], stale)
		w, err := NewWriter(DefaultConfig(), c.store, c.clock, c.ring, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		c.writer = w
		l = c.parks(t, crashed)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if len(offered) == 0 || waiting(t, l) != 1 {
			t.Fatalf("offered %v, %d waiting", offered, waiting(t, l))
		}
		for _, id := range offered {
			if id != first {
				t.Errorf("offered as %v, it was sent as %v before", id, first)
			}
		}
		// It is back and does not hold it: now it may be stamped anew.
		free := &peer{write: func(_ context.Context, _ data.ShardRef, b *model.Batch) error {
			if b.ID == first {
				return model.ErrStale
			}
			return nil
		}}
		c.ring.reach(c.ids[0], free)
		time.Sleep(3 * time.Second)
		if got := free.all(); len(got) != 1 || got[0].ID == first || waiting(t, l) != 0 {
			t.Errorf("the owner has %v, %d waiting", got, waiting(t, l))
		}
		w.Close()
	})
}

func TestParkedBatchesOfADroppedDatabaseGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := oneShard(t, &peer{})
		l := c.parks(t, vfs.NewMem())
		c.ring.reach(c.ids[0], nil)
		if err := c.write(t, batch([]row{{"v": 1.0}}, time.Now()), Any); err != nil {
			t.Fatal(err)
		}
		if err := c.store.DropDatabase(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if n := waiting(t, l); n != 0 {
			t.Errorf("%d batches are still parked", n)
		}
	})
}
