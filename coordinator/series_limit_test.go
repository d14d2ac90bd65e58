package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// many makes a batch of n series with one row each.
func many(n int) *model.Batch {
	b := &model.Batch{}
	t := model.Table{Measurement: "m", Columns: []model.Column{{Field: model.Field{Name: "v", Type: model.Float}}}}
	for i := range n {
		key := fmt.Appendf(nil, "m,t=%d", i)
		b.Series = append(b.Series, model.Series{Hash: model.HashSeriesKey(key, 1), Key: key})
		t.Series = append(t.Series, uint32(i))
		t.Times = append(t.Times, time.Now().UnixNano())
		t.Columns[0].AppendBits(0)
	}
	b.Tables = []model.Table{t}
	return b
}

func TestSeriesBeyondALimitAreRefusedAndTheOthersWritten(t *testing.T) {
	asked, left := 0, int64(1000)
	p := &peer{}
	p.room = func(limits model.SeriesLimits, series []model.Series) (data.Room, error) {
		asked++
		if limits.Series != 70 {
			t.Errorf("asked with %+v", limits)
		}
		r := data.Room{Left: left}
		if left == 0 && len(series) > 0 {
			r.Refused = []data.RefusedSeries{{At: 1, Why: "too many"}, {At: 2, Why: "far too many"}}
		}
		return r, nil
	}
	cfg := DefaultConfig()
	cfg.Limits = model.SeriesLimits{Series: 70}
	c := newCluster(t, cfg, p)
	for range 3 {
		if err := c.write(t, many(100), Default); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 2 {
		t.Errorf("of three batches the owner was asked %d times: a quarter of 1,000 is enough for two", asked)
	}
	left = 0
	for range 2 {
		c.writer.rooms.set(c.peers[0].shard(), room{})
		err := c.write(t, many(100), Default)
		var partial *PartialWriteError
		if !errors.As(err, &partial) || partial.Reason != "too many" || partial.Dropped != 2 {
			t.Errorf("beyond the limit: %v", err)
		}
	}
	all := p.all()
	if n := all[len(all)-1].Rows(); n != 98 {
		t.Errorf("%d rows were written of the others, want 98", n)
	}
	// Whose database has limits of its own.
	if err := c.store.SetDatabaseLimits(t.Context(), "db", model.SeriesLimits{Series: -1}, model.Quota{}); err != nil {
		t.Fatal(err)
	}
	before := asked
	if err := c.write(t, many(100), Default); err != nil || asked != before {
		t.Errorf("without a limit: %v, asked %d times", err, asked-before)
	}
	// An owner that cannot say refuses nothing.
	if err := c.store.SetDatabaseLimits(t.Context(), "db", model.SeriesLimits{}, model.Quota{}); err != nil {
		t.Fatal(err)
	}
	p.room = func(model.SeriesLimits, []model.Series) (data.Room, error) { return data.Room{}, model.ErrUnavailable }
	c.writer.rooms.set(c.peers[0].shard(), room{})
	if err := c.write(t, many(100), Default); err != nil {
		t.Errorf("where the owner cannot say: %v", err)
	}
}

// A write must not wait for what an owner that has stopped would say: there may
// be others that take it, and the time is theirs.
func TestOwnerThatDoesNotAnswerIsNotWaitedForToJudgeSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := 0
		p := &peer{}
		p.roomWait = func(ctx context.Context) error {
			stopped++
			<-ctx.Done()
			return ctx.Err()
		}
		log := slog.New(slog.DiscardHandler)
		w := &Writer{cfg: DefaultConfig(), log: log, refusals: pace.NewLines(log, 1, time.Second), peers: &ring{local: 9, nodes: map[uint64]data.Peer{1: p, 2: p}}}
		owners := []meta.Owner{{Node: 1, State: meta.Active}, {Node: 2, State: meta.Active}}
		part := part{group: &meta.ShardGroup{}, shard: &meta.Shard{ID: 7, Owners: owners}, batch: many(3)}
		for range 3 {
			began := time.Now()
			if got := w.hold(t.Context(), &part, w.cfg.Limits); got.count > 0 {
				t.Errorf("refused %+v", got)
			}
			if took := time.Since(began); took > w.cfg.WriteTimeout/4 {
				t.Errorf("it took %s", took)
			}
		}
		if stopped != 2 {
			t.Errorf("three writes asked %d times: once each owner is enough for a while", stopped)
		}
	})
}

// shard gives the shard that p was sent something of.
func (p *peer) shard() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.batches {
		return id
	}
	return 0
}
