package coordinator

import (
	"context"
	"errors"
	"time"

	"github.com/varvedb/varve/coordinator/parking"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// parked delivers the batches of a parking log.
type parked struct {
	w      *Writer
	log    *parking.Log
	cancel context.CancelFunc
	done   chan struct{} // closed when the delivery has ended
}

// Parking makes log take the batches of level Any that no owner can be sent,
// and begins to deliver what it has. It is called once, before the first write;
// log must stay open until Close.
func (w *Writer) Parking(log *parking.Log) {
	ctx, cancel := context.WithCancel(context.Background())
	w.parked = &parked{w: w, log: log, cancel: cancel, done: make(chan struct{})}
	go w.parked.run(ctx)
}

func (p *parked) stop() {
	p.cancel()
	<-p.done
}

// park keeps a batch that no owner could be sent.
func (w *Writer) park(shard data.ShardRef, b *model.Batch) error {
	if w.parked == nil {
		return w.notMet(0, 1, nil)
	}
	place := parking.Place{Database: shard.Database, Policy: shard.Policy, Group: shard.Group, Shard: shard.Shard}
	if err := w.parked.log.Park(place, b); err != nil {
		return unavailable(err)
	}
	w.metrics.parked.Inc()
	return nil
}

// run tries to deliver everything, again and again.
func (p *parked) run(ctx context.Context) {
	defer close(p.done)
	tick := time.NewTicker(p.w.cfg.ParkedEvery)
	defer tick.Stop()
	for {
		if err := p.deliverAll(ctx); err != nil && ctx.Err() == nil {
			p.w.refusals.Warn("parked batches cannot be delivered", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// deliverAll offers every batch once. After one that could not be delivered the
// others of that shard wait: they keep their order.
func (p *parked) deliverAll(ctx context.Context) error {
	stuck := make(map[uint64]bool) // shards
	for id := uint64(0); ctx.Err() == nil; {
		e, err := p.log.Next(id)
		if err != nil {
			return err
		}
		if e == nil {
			break
		}
		id = e.ID
		if stuck[e.Place.Shard] {
			continue
		}
		if err := p.deliver(ctx, e); err != nil {
			stuck[e.Place.Shard] = true
			if !errors.Is(err, errParked) {
				p.w.refusals.Warn("parked batch was not delivered", "shard", e.Place.Shard, "error", err)
			}
			continue
		}
		if err := p.log.Done(id); err != nil {
			return err
		}
	}
	return p.log.Sync()
}

// deliver sends a batch to the owners of its shard and returns when one has it.
// errParked says that none can be reached.
func (p *parked) deliver(ctx context.Context, e *parking.Entry) error {
	w := p.w
	ctx, cancel := context.WithTimeoutCause(ctx, w.cfg.WriteTimeout, errTimeout)
	defer cancel()
	g, s, err := p.find(ctx, e.Place.Shard)
	if err != nil {
		return err
	}
	if s == nil {
		w.metrics.dropped.Inc()
		return nil
	}
	if !w.reaches(s) {
		return errParked
	}
	f := &fan{
		w: w, shard: shardRef(g, s), batch: e.Batch, hold: newHold(nil), done: make(chan struct{}),
		stamp: func(b *model.Batch) error {
			if err := w.stamp(b, s.ID); err != nil {
				return err
			}
			// Before it is sent: after a crash it must be the same batch again.
			return p.log.Stamp(e.ID, b.Version)
		},
	}
	again := e.Stamp != model.Version{}
	if !again {
		if err := f.stamp(f.batch); err != nil {
			return err
		}
	}
	f.start(ctx, s, One, again)
	if err := f.wait(ctx); err != nil {
		return err
	}
	w.metrics.delivered.Inc()
	return nil
}

// find gives a shard and its group, nil when it was dropped for certain.
func (p *parked) find(ctx context.Context, shard uint64) (*meta.ShardGroup, *meta.Shard, error) {
	if g, s := p.w.meta.Snapshot().Shard(shard); s != nil && g.Live() {
		return g, s, nil
	}
	if err := p.w.meta.Refresh(ctx); err != nil {
		return nil, nil, err
	}
	if g, s := p.w.meta.Snapshot().Shard(shard); s != nil && g.Live() {
		return g, s, nil
	}
	return nil, nil, nil
}

// reaches reports whether there is a way to an owner that counts.
func (w *Writer) reaches(s *meta.Shard) bool {
	for _, o := range s.Owners {
		if (o.State == meta.Active || o.State == meta.Leaving) && w.peers.Peer(o.Node) != nil {
			return true
		}
	}
	return false
}
