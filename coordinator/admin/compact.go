package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/model"
)

// compactAll compacts shards one after the other, and answers before.
func (a *Admin) compactAll(_ context.Context, r adminapi.CompactRequest) (any, error) {
	ids := r.Shards
	if len(ids) == 0 {
		for g := range a.Store.Snapshot().AllGroups {
			for _, sh := range g.Shards {
				if g.Live() {
					ids = append(ids, sh.ID)
				}
			}
		}
	}
	for _, id := range r.Shards {
		if _, _, err := a.shard(id); err != nil {
			return nil, err
		}
	}
	if !a.compacting.CompareAndSwap(false, true) {
		return nil, &model.Error{Kind: model.ErrConflict, Text: "this node is compacting shards for somebody already"}
	}
	a.done.Go(func() {
		defer a.compacting.Store(false)
		for _, id := range ids {
			v, err := a.compact(a.base, id)
			if a.base.Err() != nil {
				return
			}
			// One that was dropped meanwhile is no trouble.
			if err != nil && !errors.Is(err, model.ErrNotFound) {
				a.Log.Warn("shard was not compacted", "shard", id, "error", err)
			} else if err == nil && len(v.Failed) > 0 {
				a.Log.Warn("shard was not compacted everywhere", "shard", id, "failed", v.Failed)
			}
		}
		a.Log.Info("compacted shards", "shards", len(ids))
	})
	return &adminapi.Compacting{Shards: len(ids)}, nil
}

// compact has all owners of a shard that are alive rewrite it. It returns when
// they have.
func (a *Admin) compact(ctx context.Context, id uint64) (*adminapi.Compacted, error) {
	_, sh, err := a.shard(id)
	if err != nil {
		return nil, err
	}
	s := a.Store.Snapshot()
	errs := make([]error, len(sh.Owners))
	var wg sync.WaitGroup
	for i, o := range sh.Owners {
		wg.Go(func() { errs[i] = a.compactAt(ctx, o.Node, id) })
	}
	wg.Wait()
	out := &adminapi.Compacted{Nodes: []string{}}
	for i, o := range sh.Owners {
		name := nameOf(s, o.Node)
		if errs[i] != nil {
			out.Failed = append(out.Failed, fmt.Sprintf("%s: %s", name, short(errs[i])))
			continue
		}
		out.Nodes = append(out.Nodes, name)
	}
	return out, ctx.Err()
}

func (a *Admin) compactAt(ctx context.Context, node, shard uint64) error {
	if node == a.Store.Self() {
		return a.compactHere(ctx, shard)
	}
	c := a.conn(node)
	if c == nil {
		return errNoWay(node)
	}
	body, err := json.Marshal(shard)
	if err != nil {
		return err
	}
	return c.Stream(ctx, methodCompact, body, func([]byte) error { return nil })
}

func (a *Admin) compactHere(ctx context.Context, id uint64) error {
	g, _, err := a.shard(id)
	if err != nil || a.Local == nil {
		return orNoData(err)
	}
	return a.Local.Compact(ctx, refOf(g, id))
}
