package coordinator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// errTimeout ends a write that did not meet its level in time. The text is
// InfluxDB's.
var errTimeout = &model.Error{Kind: model.ErrUnavailable, Text: "timeout"}

// errChanged ends a write whose database, policy or shard group was dropped
// while it ran. It comes again and finds what there is then.
var errChanged = &model.Error{Kind: model.ErrUnavailable, Text: "write failed: the database was being changed"}

// passing gives an error of meta, met in the middle of a write, the kind that
// says it passes by itself, unless it is about what the write asks for.
func passing(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return cause
	case errors.Is(err, model.ErrInvalid), errors.Is(err, model.ErrTooLarge):
		return err
	case errors.Is(err, model.ErrNotFound):
		return errChanged
	}
	return unavailable(err)
}

// errAllStale says that every owner found a batch stale.
var errAllStale = fmt.Errorf("%w: %w", model.ErrStale, model.ErrUnavailable)

// answer is what an owner said to a batch.
type answer struct {
	node uint64
	err  error
}

// send stamps a part and sends it to all owners of its shard. It was under way
// for too long when all of them say that it is stale: none has it, none will
// take it any more, so it is stamped and sent again, once.
func (w *Writer) send(ctx context.Context, p *part, level Level, hold *hold) error {
	if p.batch == nil {
		return nil
	}
	if ctx.Err() != nil {
		// The write has failed already. Its other parts would be sent with nobody
		// to wait for them, however many they are.
		return context.Cause(ctx)
	}
	err := w.sendStamped(ctx, p, level, hold)
	if errors.Is(err, model.ErrStale) {
		w.metrics.stale.Inc()
		err = w.sendStamped(ctx, p, level, hold)
	}
	return err
}

// sendStamped stamps a part, sends it to all owners at once and returns when
// enough of them have it. The others go on: one slow owner delays nobody.
func (w *Writer) sendStamped(ctx context.Context, p *part, level Level, hold *hold) error {
	if err := w.stamps.stamp(p.batch, p.shard.ID); err != nil {
		return unavailable(err)
	}
	var owners []uint64
	for _, o := range p.shard.Owners {
		if o.State == meta.Active || o.State == meta.Leaving {
			owners = append(owners, o.Node)
		}
	}
	need := level.Needs(len(owners))
	// Not bounded by ctx: an owner that has begun is not interrupted because
	// the client has its answer.
	sending := context.WithoutCancel(ctx)
	answers := make(chan answer, len(owners)) // holds all, so no sender waits
	for _, node := range owners {
		hold.take()
		w.sends.Go(func() {
			defer hold.release()
			answers <- answer{node, w.sendTo(sending, node, p)}
		})
	}
	var acked, stale int
	var failed []answer
	for acked < need && acked+len(failed) < len(owners) {
		if len(failed) > len(owners)-need && (acked > 0 || stale < len(failed)) {
			break // the level cannot be met any more, and an owner may hold the batch
		}
		select {
		case a := <-answers:
			if a.err == nil {
				acked++
				continue
			}
			if errors.Is(a.err, model.ErrStale) {
				stale++
			}
			w.log.Warn("owner refused a batch", "shard", p.shard.ID, "node", a.node, "error", a.err)
			failed = append(failed, a)
		case <-ctx.Done():
			w.log.Warn("owners did not answer in time", "shard", p.shard.ID, "acked", acked, "needed", need)
			return context.Cause(ctx)
		}
	}
	switch {
	case acked >= need:
		return nil
	case stale == len(owners):
		return &model.Error{Kind: errAllStale, Text: w.notMet(acked, need, failed).Error()}
	}
	return w.notMet(acked, need, failed)
}

// sendTo sends a part to one owner.
func (w *Writer) sendTo(ctx context.Context, node uint64, p *part) error {
	peer := w.peers.Peer(node)
	if peer == nil {
		return fmt.Errorf("node %d: %w", node, model.ErrUnavailable)
	}
	return peer.Write(ctx, p.ref(), p.batch, 0)
}

// notMet says which owners are missing. It carries no text of theirs: words in
// it could make a client drop the batch instead of sending it again.
func (w *Writer) notMet(acked, need int, failed []answer) error {
	slices.SortFunc(failed, func(a, b answer) int { return cmp.Compare(a.node, b.node) })
	kind := model.ErrUnavailable
	names := make([]string, len(failed))
	overloaded := 0
	for i, f := range failed {
		names[i] = w.nodeName(f.node)
		if errors.Is(f.err, model.ErrOverloaded) {
			overloaded++
		}
	}
	if overloaded == len(failed) {
		kind = model.ErrOverloaded
	}
	return &model.Error{Kind: kind, Text: fmt.Sprintf("write consistency not met: acked %d of %d (not stored by %s)",
		acked, need, strings.Join(names, ", "))}
}

func (w *Writer) nodeName(id uint64) string {
	if n := w.meta.Snapshot().Node(id); n != nil {
		return n.Name
	}
	return fmt.Sprintf("node %d", id)
}
