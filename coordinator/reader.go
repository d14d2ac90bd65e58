package coordinator

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// Reader finds the shards of a query and asks one owner of each. It implements
// query.Storage; deletes it hands to a Writer.
type Reader struct {
	cfg       Config
	meta      *meta.Store
	peers     Peers
	writer    *Writer
	metrics   *readMetrics
	latencies latencies
	asked     atomic.Int64 // calls of owners among which there was a choice
	hedged    atomic.Int64 // second ones among them
	hedging   atomic.Int64 // those that run
}

var _ query.Storage = (*Reader)(nil)

// NewReader gives a Reader. Its calls of owners that lost to another end with
// the Writer. reg may be nil.
func NewReader(cfg Config, store *meta.Store, peers Peers, writer *Writer, reg prometheus.Registerer) (*Reader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Reader{cfg: cfg, meta: store, peers: peers, writer: writer, metrics: newReadMetrics(reg)}, nil
}

// Schema implements query.Storage.
func (r *Reader) Schema(ctx context.Context, read *query.Read, shards query.Shards, where *model.Predicate) ([]plan.Schema, error) {
	found, err := r.find(ctx, shards)
	if err != nil {
		return nil, err
	}
	u := newUnion(found, memory.FromContext(ctx).Account())
	defer u.account.Close()
	err = each(ctx, r, read, found, func(ctx context.Context, p data.Peer, ref data.ReadRef) ([]data.Measurement, error) {
		return p.Schema(ctx, ref, where)
	}, func(i int, answer []data.Measurement) error {
		if len(answer) == 0 && read != nil && read.Partial {
			return nil // perhaps nobody has answered
		}
		return u.add(i, answer)
	})
	if err != nil {
		return nil, err
	}
	_, policy, err := r.meta.Policy(ctx, shards.Database, shards.Policy)
	if err != nil {
		return nil, changed(err)
	}
	return u.schemas(shards.Database, policy.Name), nil
}

// Scan implements query.Storage.
func (r *Reader) Scan(ctx context.Context, read *query.Read, f *plan.Fragment) ([]exec.Stream, error) {
	found, err := r.find(ctx, query.Shards{Database: f.Database, Policy: f.Policy, Range: f.Range})
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(s part) bool { return f.Located.Lacks(s.shard.ID) })
	streams := make([]exec.Stream, len(found))
	for i, s := range found {
		streams[i] = exec.Pipe(s.group.Range(), func(ctx context.Context, emit func(*exec.Partial) error) error {
			type none struct{}
			_, err := reading(ctx, r, read, s, true, func(ctx context.Context, p data.Peer, ref data.ReadRef, give func(func() error) error) (none, error) {
				return none{}, p.Scan(ctx, ref, f, func(part *exec.Partial) error {
					return give(func() error { return emit(part) })
				})
			})
			return err
		})
	}
	if f.Descending {
		slices.Reverse(streams)
	}
	return streams, nil
}

// Delete implements query.Storage.
func (r *Reader) Delete(ctx context.Context, shards []query.Shards, d *model.Delete) error {
	return r.writer.Delete(ctx, shards, d)
}

// find gives the shards that s names, in order of time.
func (r *Reader) find(ctx context.Context, s query.Shards) ([]part, error) {
	groups, err := groupsOf(ctx, r.meta, s)
	if err != nil {
		return nil, err
	}
	var found []part
	for _, g := range groups {
		for i := range g.Shards {
			found = append(found, part{group: g, shard: &g.Shards[i]})
		}
	}
	return found, nil
}

// groupsOf gives the live groups that s names, in order of time.
func groupsOf(ctx context.Context, store *meta.Store, s query.Shards) ([]*meta.ShardGroup, error) {
	_, p, err := store.Policy(ctx, s.Database, s.Policy)
	if err != nil {
		return nil, changed(err)
	}
	return store.Snapshot().Groups(p.UID, s.Range), nil
}

// changed is the answer where a database or policy has gone since the
// statement began.
func changed(err error) error {
	if errors.Is(err, model.ErrNotFound) {
		return &model.Error{Kind: model.ErrUnavailable, Text: err.Error()}
	}
	return err
}

// each asks one owner of each of the shards, several at a time, and hands the
// answers to take, one at a time. One that fails ends the work of all.
func each[T any](ctx context.Context, r *Reader, read *query.Read, found []part,
	f func(ctx context.Context, p data.Peer, ref data.ReadRef) (T, error), take func(i int, answer T) error,
) error {
	var taking sync.Mutex
	g, asking := errgroup.WithContext(ctx)
	g.SetLimit(r.cfg.ReadShards)
	for i := range found {
		if asking.Err() != nil {
			break
		}
		g.Go(func() error {
			answer, err := reading(asking, r, read, found[i], false, func(ctx context.Context, p data.Peer, ref data.ReadRef, _ func(func() error) error) (T, error) {
				return f(ctx, p, ref)
			})
			if err != nil {
				return err
			}
			taking.Lock()
			defer taking.Unlock()
			return take(i, answer)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}
