package coordinator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/query"
)

// partialWait is how long owners have to say how much they hold, when the
// answer is to be of the one that holds most.
const partialWait = 2 * time.Second

// partial asks the owner of a shard that holds most, though it may lack
// something, and notes that. Of a shard that nobody answers for there is
// nothing, which it notes, too.
func partial[T any](ctx context.Context, r *Reader, read *query.Read, s part, why []failure, scan bool,
	f func(ctx context.Context, p data.Peer, ref data.ReadRef, give func(func() error) error) (T, error),
) (answer T, err error) {
	owners, _ := r.candidates(s.shard, scan)
	asking, cancel := context.WithTimeout(ctx, partialWait)
	have, failed := r.holdings(asking, s, owners, func([]applied) bool { return false })
	cancel()
	slices.SortStableFunc(have, func(a, b applied) int { return cmp.Compare(b.set.Len(), a.set.Len()) })
	for _, a := range have {
		ref := data.ReadRef{ShardRef: s.ref(), Stale: true}
		answer, more, done, err := race(ctx, r, []candidate{a.candidate}, scan, func(ctx context.Context, p data.Peer, give func(func() error) error) (T, error) {
			return f(ctx, p, ref, give)
		})
		if done {
			if err == nil {
				r.metrics.partial.Inc()
				read.Lacks(fmt.Sprintf("shard %d is answered by %s, which may lack data: %s", s.shard.ID, r.writer.nodeName(a.node), r.reasons(why)))
			}
			return answer, err
		}
		failed = append(failed, more...)
	}
	if ctx.Err() != nil {
		return answer, context.Cause(ctx)
	}
	r.metrics.partial.Inc()
	read.Lacks(fmt.Sprintf("shard %d is missing: %s", s.shard.ID, r.reasons(append(why, failed...))))
	return answer, nil
}
