package coordinator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

// candidate is an owner that may be asked.
type candidate struct {
	node uint64
	peer data.Peer
}

// reading asks one shard what f asks of an owner. The zero answer is that of a
// shard that was dropped.
//
// An owner that cannot prove to hold all sends it to the next. When all that
// answer say so it waits, up to Config.BehindWait: an owner that has just been
// lost is waited for by the others until its lease ends, which is to cost time
// and no error. Then, or with Read.Partial at once, the owner that holds most
// answers, if the Read wants such an answer.
func reading[T any](ctx context.Context, r *Reader, read *query.Read, s part, scan bool,
	f func(ctx context.Context, p data.Peer, ref data.ReadRef, give func(func() error) error) (T, error),
) (answer T, err error) {
	deadline := time.Now().Add(r.cfg.BehindWait)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		ref := data.ReadRef{ShardRef: s.ref()}
		owners, failed := r.candidates(s.shard, scan)
		if r.wantsQuorum(read) {
			var more []failure
			owners, ref.Holds, more, err = r.quorum(ctx, s, owners, deadline)
			if err != nil {
				return answer, err
			}
			failed = append(failed, more...)
		}
		if len(owners) > 0 {
			answer, more, done, err := race(ctx, r, owners, scan, func(ctx context.Context, p data.Peer, give func(func() error) error) (T, error) {
				return f(ctx, p, ref, give)
			})
			if done {
				return answer, err
			}
			failed = append(failed, more...)
		}
		if ctx.Err() != nil {
			return answer, context.Cause(ctx)
		}
		again := slices.ContainsFunc(failed, func(f failure) bool { return errors.Is(f.err, model.ErrBehind) || errors.Is(f.err, model.ErrMoved) })
		if again && slices.ContainsFunc(failed, func(f failure) bool { return errors.Is(f.err, model.ErrMoved) }) {
			if err := r.meta.Refresh(ctx); err != nil {
				failed = append(failed, failure{r.peers.Local(), err})
			}
		}
		// Also without a word of theirs the owners may be others by now.
		g, shard := r.meta.Snapshot().Shard(s.shard.ID)
		if shard == nil || !g.Live() {
			return answer, nil
		}
		moved := shard.Revision != s.shard.Revision
		s.group, s.shard = g, shard
		if moved && time.Now().Before(deadline) {
			continue
		}
		if read != nil && read.Partial {
			return partial(ctx, r, read, s, failed, scan, f)
		}
		if !again || !time.Now().Before(deadline) {
			return answer, r.unanswered(s, failed)
		}
		r.metrics.behind.Inc()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return answer, context.Cause(ctx)
		}
	}
}

// firstPause and lastPause bound how long is waited before the owners are asked
// again.
const (
	firstPause = 25 * time.Millisecond
	lastPause  = 400 * time.Millisecond
)

// candidates gives the owners that can answer for a shard and can be reached:
// this node first, then those that are alive, as fast as they were lately.
func (r *Reader) candidates(s *meta.Shard, scan bool) (owners []candidate, failed []failure) {
	type place struct {
		candidate
		rank   int
		median time.Duration
	}
	snapshot, away := r.meta.Snapshot(), r.meta.Away()
	var places []place
	for _, o := range s.Owners {
		if o.State != meta.Active && o.State != meta.Leaving {
			continue
		}
		peer := r.peers.Peer(o.Node)
		if peer == nil {
			failed = append(failed, failure{o.Node, errUnreachable})
			continue
		}
		p := place{candidate: candidate{o.Node, peer}, median: r.latencies.median(latencyOf{o.Node, scan})}
		switch {
		case o.Node == r.peers.Local():
		case away || snapshot.Alive(o.Node):
			p.rank = 1
		default:
			p.rank = 2 // its lease has ended, which may be news to itself
		}
		places = append(places, p)
	}
	slices.SortStableFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.median, b.median))
	})
	for _, p := range places {
		owners = append(owners, p.candidate)
	}
	return owners, failed
}

var errUnreachable = fmt.Errorf("cannot be reached: %w", model.ErrUnavailable)

// unanswered says why a shard has no answer.
func (r *Reader) unanswered(s part, failed []failure) error {
	what := "no owner of shard %d answers"
	if slices.ContainsFunc(failed, func(f failure) bool { return errors.Is(f.err, model.ErrBehind) }) {
		what = "no owner of shard %d can prove that it holds all"
	}
	return fmt.Errorf("%w: "+what+": %s", model.ErrUnavailable, s.shard.ID, r.reasons(failed))
}

// reasons lists why owners have not answered.
func (r *Reader) reasons(failed []failure) string {
	texts := make([]string, len(failed))
	for i, f := range failed {
		texts[i] = r.writer.nodeName(f.node) + ": " + f.err.Error()
	}
	slices.Sort(texts)
	return strings.Join(slices.Compact(texts), "; ")
}

// isFinal reports whether err is about the request, not about the owner.
func isFinal(err error) bool {
	var panicked *exec.PanicError
	if errors.As(err, &panicked) {
		return true
	}
	for _, kind := range []error{model.ErrInvalid, model.ErrTooLarge, model.ErrNotSupported, model.ErrInterrupted} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
