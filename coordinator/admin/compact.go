package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

// compact has all owners of a shard that are alive rewrite it. It returns when
// they have.
func (a *Admin) compact(ctx context.Context, id uint64) (any, error) {
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
