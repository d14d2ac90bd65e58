package coordinator

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/varvedb/varve/coordinator/fanout"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// fan is one batch on its way to the owners of its shard: it carries out what
// fanout.Write decides. It goes on after the answer to the client, until every
// owner that was sent to has answered.
type fan struct {
	w     *Writer
	shard data.ShardRef // Revision is that of the owners sent to
	hold  *hold
	stamp func(*model.Batch) error // gives an id and a version
	bytes int64                    // of the batch in memory, as owners' budgets count it

	mu    sync.Mutex // protects all below; stamping may sync the clock while it is held
	write *fanout.Write
	batch *model.Batch  // stamped. Owners share it, so a new stamp is for a copy
	bare  *model.Batch  // of batch, without keys; nil until an owner is sent it
	err   error         // ends the write whatever the owners say
	done  chan struct{} // closed when there is a verdict or err
	ended bool          // so is done, or nobody waits any more
}

// start begins with the first sends. The batch is stamped.
func (f *fan) start(ctx context.Context, s *meta.Shard, level Level, again bool) {
	begin := fanout.New
	if again {
		begin = fanout.Again
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	owners := f.owners(s)
	if len(owners) > 1 {
		f.batch.Pack() // for the logs of all, before they share it
		f.bytes = f.batch.MemoryBytes()
	} // else nobody can pull it: there is nothing to gain by not sending it
	w, e := begin(f.w.peers.Local(), owners, level)
	f.write = w
	f.carryLocked(ctx, e)
}

// owners gives the owners of a shard as the metadata has them now, and keeps
// their revision.
func (f *fan) owners(s *meta.Shard) []fanout.Owner {
	f.shard.Revision = s.Revision
	return f.w.ownersOf(s)
}

// ownersOf gives the owners of a shard, and whose places they take.
func (w *Writer) ownersOf(s *meta.Shard) []fanout.Owner {
	snapshot := w.meta.Snapshot()
	out := make([]fanout.Owner, len(s.Owners))
	for i, o := range s.Owners {
		out[i] = fanout.Owner{Node: o.Node, State: fanout.State(o.State), Replaces: snapshot.Replaces(s.ID, o.Node)}
	}
	return out
}

// carryLocked does what the write has decided.
func (f *fan) carryLocked(ctx context.Context, e fanout.Effects) {
	if e.Restamp {
		if f.ended {
			return // nobody waits for it, and it may come again as it is stamped
		}
		f.w.metrics.stale.Inc()
		b := *f.batch
		if err := f.stamp(&b); err != nil {
			f.failLocked(unavailable(err))
			return
		}
		f.batch, f.bare = &b, nil
	}
	type refusal struct {
		send fanout.Send
		err  error
	}
	var unsent []refusal
	for _, s := range e.Sends {
		if err := f.sendLocked(ctx, s); err != nil {
			unsent = append(unsent, refusal{s, err})
		}
	}
	if e.Refresh && !f.w.tasks.start(func() { f.refresh(ctx) }) {
		f.failLocked(errClosed)
	}
	for _, r := range unsent {
		f.carryLocked(ctx, f.write.Answer(r.send, r.err))
	}
	if f.write.Verdict() != fanout.Pending {
		f.endLocked()
	}
}

func (f *fan) failLocked(err error) {
	if f.write.Verdict() == fanout.Pending && f.err == nil {
		f.err = err
		f.endLocked()
	}
}

func (f *fan) endLocked() {
	if !f.ended {
		f.ended = true
		close(f.done)
	}
}

// sendLocked sends the batch to one owner. An error says that it does not.
func (f *fan) sendLocked(ctx context.Context, s fanout.Send) error {
	peer := f.w.peers.Peer(s.Node)
	if peer == nil {
		return fmt.Errorf("node %d: %w", s.Node, fanout.ErrUnsent)
	}
	if !f.w.budgets.take(s.Node, f.bytes) {
		f.w.metrics.overBudget.WithLabelValues(f.w.nodeName(s.Node)).Inc()
		return fmt.Errorf("node %d has not answered enough of what it was sent: %w: %w", s.Node, model.ErrOverloaded, fanout.ErrUnsent)
	}
	b, shard := f.forLocked(s), f.shard
	sent := f.w.metrics.other
	if s.Node == f.w.peers.Local() {
		sent = f.w.metrics.here
	}
	sent.Add(float64(b.Rows()))
	f.hold.take()
	// Not bounded by the write: an owner that has begun is not interrupted
	// because the client has its answer.
	sending := context.WithoutCancel(ctx)
	started := f.w.tasks.start(func() {
		defer f.hold.release()
		err := f.ask(sending, peer, shard, b, s)
		f.w.budgets.give(s.Node, f.bytes)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.carryLocked(ctx, f.write.Answer(s, err))
	})
	if !started {
		f.hold.release()
		f.w.budgets.give(s.Node, f.bytes)
		return fmt.Errorf("%w: %w", errClosed, fanout.ErrUnsent)
	}
	return nil
}

// forLocked gives the batch as it is sent to one owner.
func (f *fan) forLocked(s fanout.Send) *model.Batch {
	if s.Keys || s.Node == f.w.peers.Local() || !f.w.keyless.may(keyPlace{s.Node, f.shard.Shard}) {
		return f.batch
	}
	if f.bare == nil {
		f.bare = withoutKeys(f.batch)
	}
	return f.bare
}

// ask gives one owner's answer. A panic is one: the process has other work.
func (f *fan) ask(ctx context.Context, peer data.Peer, shard data.ShardRef, b *model.Batch, s fanout.Send) (err error) {
	defer func() {
		if v := recover(); v != nil {
			f.w.log.Error("write to an owner panicked", "shard", shard.Shard, "node", s.Node, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = errors.New("internal error")
		}
	}()
	err = peer.Write(ctx, shard, b, s.HeldBy)
	switch at := (keyPlace{s.Node, shard.Shard}); {
	case err == nil:
		f.w.keyless.taken(at)
	case errors.Is(err, model.ErrNeedKeys) && !s.Keys:
		f.w.keyless.asked(at)
		f.w.metrics.askedKeys.Inc()
	default:
		f.w.refusals.Warn("owner refused a batch", "shard", shard.Shard, "node", s.Node, "error", err)
	}
	return err
}

// refresh reads the owners anew.
func (f *fan) refresh(ctx context.Context) {
	err := f.w.meta.Refresh(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.carryLocked(ctx, f.write.Owners(nil, err))
		return
	}
	g, s := f.w.meta.Snapshot().Shard(f.shard.Shard)
	if s == nil || !g.Live() {
		f.failLocked(errChanged)
		return
	}
	f.carryLocked(ctx, f.write.Owners(f.owners(s), nil))
}
