package coordinator

import (
	"context"
	"sync"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
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
	var (
		mu  sync.Mutex // protects all
		all = new(exec.List)
	)
	err := eachGiven(ctx, r, read, found, func(ctx context.Context, p data.Peer, ref data.ReadRef) (*exec.List, error) {
		return p.List(ctx, ref, q)
	}, func(_ int, list *exec.List) {
		if list == nil {
			return // of a shard that was dropped
		}
		mu.Lock()
		defer mu.Unlock()
		all.Merge(list, q)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
