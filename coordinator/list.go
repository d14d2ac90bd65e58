package coordinator

import (
	"context"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/memory"
)

// List implements query.Storage. What a shard answers is merged as it comes:
// there are no more lists at a time than shards that are asked, and the whole.
func (r *Reader) List(ctx context.Context, read *query.Read, shards []query.Shards, q *exec.ListRequest) (*exec.List, error) {
	var found []part
	for _, s := range shards {
		more, err := r.find(ctx, s)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	held := memory.FromContext(ctx).Account() // until the statement has ended
	if q.Count != nil {
		defer held.Close() // it is counted and forgotten, part by part
	}
	all := new(exec.List)
	err := each(ctx, r, read, found, func(ctx context.Context, p data.Peer, ref data.ReadRef) (*exec.List, error) {
		return p.List(ctx, ref, q)
	}, func(_ int, list *exec.List) error {
		if list == nil {
			return nil // of a shard that was dropped
		}
		all.Merge(list, q)
		return held.Set(all.Bytes())
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
