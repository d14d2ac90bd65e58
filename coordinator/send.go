package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/varvedb/varve/coordinator/fanout"
	"github.com/varvedb/varve/model"
)

// errTimeout ends a write that did not meet its level in time. The text is
// InfluxDB's.
var errTimeout = &model.Error{Kind: model.ErrUnavailable, Text: "timeout"}

// errChanged ends a write whose database, policy or shard group was dropped
// while it ran. It comes again and finds what there is then.
var errChanged = &model.Error{Kind: model.ErrUnavailable, Text: "write failed: the database was being changed"}

// errClosed ends a write that comes while the server stops.
var errClosed = &model.Error{Kind: model.ErrUnavailable, Text: "write failed: the server is stopping"}

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

// send stamps a part, sends it to all owners of its shard at once and returns
// when enough of them have it. The others go on: one slow owner delays nobody.
func (w *Writer) send(ctx context.Context, p *part, level Level, hold *hold) error {
	if p.batch == nil {
		return nil
	}
	if ctx.Err() != nil {
		// The write has failed already. Its other parts would be sent with nobody
		// to wait for them, however many they are.
		return context.Cause(ctx)
	}
	f := &fan{
		w: w, shard: p.ref(), batch: p.batch, hold: hold, done: make(chan struct{}),
		stamp: func(b *model.Batch) error { return w.stamp(b, p.shard.ID) },
	}
	if err := f.stamp(f.batch); err != nil {
		return unavailable(err)
	}
	f.start(ctx, p.shard, level, false)
	err := f.wait(ctx)
	if errors.Is(err, errParked) {
		return w.park(f.shard, p.batch)
	}
	return err
}

// stamp gives a batch an id and a version, unless the clock is not to be
// trusted.
func (w *Writer) stamp(b *model.Batch, shard uint64) error {
	if w.clockOff != nil {
		if err := w.clockOff(); err != nil {
			return err
		}
	}
	return w.stamps.stamp(b, shard)
}

// errParked says that no owner could be sent a batch that may be parked.
var errParked = errors.New("no owner can be reached")

// wait returns when the level is met, or cannot be met, or ctx ends.
func (f *fan) wait(ctx context.Context) error {
	timeout := false
	select {
	case <-f.done:
	case <-ctx.Done():
		timeout = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.write.Verdict() == fanout.Met:
		return nil
	case f.err != nil:
		return f.err
	case f.write.Verdict() == fanout.Park:
		return errParked
	}
	f.endLocked()
	missing := f.write.Missing()
	if timeout {
		f.w.refusals.Warn("owners did not answer in time", "shard", f.shard.Shard, "missing", len(missing))
		if len(missing) == 1 && missing[0].Err == nil {
			if _, needed := f.write.Progress(); needed == 1 {
				return context.Cause(ctx) // the one owner that there is
			}
		}
	}
	if !timeout { // it failed early, because of those that have answered
		missing = slices.DeleteFunc(missing, func(m fanout.Missing) bool { return m.Err == nil })
	}
	acked, needed := f.write.Progress()
	return f.w.notMet(acked, needed, missing)
}

// notMet says which owners are missing. It carries no text of theirs: words in
// it could make a client drop the batch instead of sending it again.
func (w *Writer) notMet(acked, needed int, missing []fanout.Missing) error {
	var silent, refused []string
	overloaded := len(missing) > 0
	for _, m := range missing {
		name := w.nodeName(m.Node)
		if m.Err == nil || errors.Is(m.Err, fanout.ErrUnsent) && !errors.Is(m.Err, model.ErrOverloaded) {
			silent = append(silent, name)
		} else {
			refused = append(refused, name)
		}
		overloaded = overloaded && errors.Is(m.Err, model.ErrOverloaded)
	}
	var why []string
	if len(silent) > 0 {
		why = append(why, "no answer from "+strings.Join(silent, ", "))
	}
	if len(refused) > 0 {
		why = append(why, "not stored by "+strings.Join(refused, ", "))
	}
	if len(why) == 0 {
		why = append(why, "no node can take it now")
	}
	kind := model.ErrUnavailable
	if overloaded {
		kind = model.ErrOverloaded
	}
	return &model.Error{Kind: kind, Text: fmt.Sprintf("write consistency not met: acked %d of %d (%s)", acked, needed, strings.Join(why, "; "))}
}

func (w *Writer) nodeName(id uint64) string {
	if n := w.meta.Snapshot().Node(id); n != nil {
		return n.Name
	}
	return fmt.Sprintf("node %d", id)
}
