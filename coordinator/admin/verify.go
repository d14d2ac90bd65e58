package admin

import (
	"context"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// How long a shard is compared again whose owners take in batches meanwhile.
const (
	verifyTime    = 30 * time.Second
	maxVerifyTime = time.Hour
	verifyEvery   = 500 * time.Millisecond
)

// verify compares the content of a shard over its owners. Replicas that hold
// different batches are not unequal: one is on its way to the other. They are
// compared again until they hold the same ones, or until patience ends. A node
// that is away is not waited for: it may be so for every shard.
func (a *Admin) verify(ctx context.Context, id uint64, patience time.Duration) (any, error) {
	if patience == 0 {
		patience = verifyTime
	}
	deadline := time.Now().Add(min(patience, maxVerifyTime))
	for {
		g, sh, err := a.shard(id)
		if err != nil {
			return nil, err
		}
		v := a.compare(ctx, g, sh)
		if v.State == adminapi.Equal || v.State == adminapi.Unequal || time.Now().Add(verifyEvery).After(deadline) || a.lacksOwner(sh) {
			return v, ctx.Err()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(verifyEvery):
		}
	}
}

// lacksOwner reports whether a node that is away has a replica to compare.
// Without the metadata store it is one that is known not to answer.
func (a *Admin) lacksOwner(sh *meta.Shard) bool {
	s, unknown := a.Store.Snapshot(), a.Store.Away()
	return slices.ContainsFunc(comparedOwners(sh), func(node uint64) bool {
		if unknown {
			return node != a.Store.Self() && a.conn(node) == nil
		}
		return !s.Alive(node)
	})
}

// comparedOwners gives the owners that have all of a shard, sooner or later.
func comparedOwners(sh *meta.Shard) (nodes []uint64) {
	for _, o := range sh.Owners {
		if o.State == meta.Active || o.State == meta.Leaving {
			nodes = append(nodes, o.Node)
		}
	}
	return nodes
}

// compare compares once.
func (a *Admin) compare(ctx context.Context, g *meta.ShardGroup, sh *meta.Shard) *adminapi.Verified {
	s := a.Store.Snapshot()
	v := &adminapi.Verified{Shard: sh.ID, State: adminapi.Equal, Replicas: []adminapi.Replica{}}
	if d, p := s.Policy(g.Policy); p != nil {
		v.Database, v.Policy = d.Name, p.Name
	}
	owners := comparedOwners(sh)
	digests, errs := make([]tsm.Digest, len(owners)), make([]error, len(owners))
	var wg sync.WaitGroup
	for i, node := range owners {
		wg.Go(func() { digests[i], errs[i] = a.digest(ctx, node, refOf(g, sh.ID)) })
	}
	wg.Wait()
	for i, node := range owners {
		r := adminapi.Replica{Node: nameOf(s, node), Rows: digests[i].Rows}
		if errs[i] != nil {
			r.Error = short(errs[i])
		} else {
			r.Hash = hex.EncodeToString(digests[i].Hash[:])
		}
		v.Replicas = append(v.Replicas, r)
	}
	v.State = judge(digests, errs)
	return v
}

// judge says what digests mean. Replicas that differ are unequal whatever the
// others hold.
func judge(digests []tsm.Digest, errs []error) string {
	state := adminapi.Equal
	var first *tsm.Digest
	for i := range digests {
		d := &digests[i]
		switch {
		case errs[i] != nil:
			state = adminapi.Unreachable
		case first == nil:
			first = d
		case !d.Applied.Equal(first.Applied):
			if state == adminapi.Equal {
				state = adminapi.Busy
			}
		case d.Hash != first.Hash || d.Rows != first.Rows:
			return adminapi.Unequal
		}
	}
	if first == nil {
		return adminapi.Unreachable
	}
	return state
}

func (a *Admin) digest(ctx context.Context, node uint64, ref data.ShardRef) (tsm.Digest, error) {
	if node == a.Store.Self() && a.Local != nil {
		return a.Local.Digest(ctx, ref)
	}
	c := a.conn(node)
	if c == nil {
		return tsm.Digest{}, errNoWay(node)
	}
	d, err := data.NewClient(c).Digest(ctx, ref)
	if err == nil && d.Applied == nil {
		d.Applied = &model.BatchSet{}
	}
	return d, err
}
