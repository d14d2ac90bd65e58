package coordinator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// Reader finds the shards of a query and asks one owner of each. It implements
// query.Storage; deletes it hands to a Writer.
type Reader struct {
	cfg    Config
	meta   *meta.Store
	peers  *Peers
	writer *Writer
}

var _ query.Storage = (*Reader)(nil)

// NewReader gives a Reader.
func NewReader(cfg Config, store *meta.Store, peers *Peers, writer *Writer) (*Reader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Reader{cfg: cfg, meta: store, peers: peers, writer: writer}, nil
}

// Schema implements query.Storage.
func (r *Reader) Schema(ctx context.Context, shards query.Shards, where *model.Predicate) ([]plan.Schema, error) {
	found, err := r.find(ctx, shards)
	if err != nil {
		return nil, err
	}
	answers := make([][]data.Measurement, len(found))
	err = r.each(ctx, found, func(ctx context.Context, i int, p data.Peer) (err error) {
		answers[i], err = p.Schema(ctx, found[i].readRef(), where)
		return err
	})
	if err != nil {
		return nil, err
	}
	_, policy, err := r.meta.Policy(ctx, shards.Database, shards.Policy)
	if err != nil {
		return nil, changed(err)
	}
	out := mergeSchemas(answers)
	for i := range out {
		out[i].Database, out[i].Policy = shards.Database, policy.Name
	}
	return out, nil
}

// mergeSchemas gives the union of what shards know, sorted by measurement.
func mergeSchemas(answers [][]data.Measurement) []plan.Schema {
	type union struct {
		fields map[model.Field]struct{}
		tags   map[string]struct{}
	}
	all := make(map[string]union)
	for _, answer := range answers {
		for _, m := range answer {
			u, ok := all[m.Name]
			if !ok {
				u = union{make(map[model.Field]struct{}), make(map[string]struct{})}
				all[m.Name] = u
			}
			for _, f := range m.Fields {
				u.fields[f] = struct{}{}
			}
			for _, t := range m.Tags {
				u.tags[t] = struct{}{}
			}
		}
	}
	out := make([]plan.Schema, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, plan.Schema{
			Name: name,
			Fields: slices.SortedFunc(maps.Keys(all[name].fields), func(a, b model.Field) int {
				return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
			}),
			TagKeys: slices.Sorted(maps.Keys(all[name].tags)),
		})
	}
	return out
}

// Scan implements query.Storage.
func (r *Reader) Scan(ctx context.Context, f *plan.Fragment) ([]exec.Stream, error) {
	found, err := r.find(ctx, query.Shards{Database: f.Database, Policy: f.Policy, Range: f.Range})
	if err != nil {
		return nil, err
	}
	streams := make([]exec.Stream, len(found))
	for i, s := range found {
		streams[i] = exec.Pipe(s.group.Range(), func(ctx context.Context, emit func(*exec.Partial) error) error {
			begun := false
			return r.ask(ctx, s, func(p data.Peer) error {
				err := p.Scan(ctx, s.readRef(), f, func(part *exec.Partial) error {
					begun = true
					return emit(part)
				})
				if err != nil && begun {
					return &finalError{err} // another owner would send again what was passed on
				}
				return err
			})
		})
	}
	if f.Descending {
		slices.Reverse(streams)
	}
	return streams, nil
}

// List implements query.Storage.
func (r *Reader) List(ctx context.Context, shards []query.Shards, q *exec.ListRequest) (*exec.List, error) {
	var found []part
	for _, s := range shards {
		more, err := r.find(ctx, s)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	lists := make([]*exec.List, len(found))
	err := r.each(ctx, found, func(ctx context.Context, i int, p data.Peer) (err error) {
		lists[i], err = p.List(ctx, found[i].readRef(), q)
		return err
	})
	if err != nil {
		return nil, err
	}
	return mergeLists(lists, q.Limit), nil
}

// mergeLists merges by halves, so that no entry is looked at once per shard.
func mergeLists(lists []*exec.List, limit int) *exec.List {
	switch len(lists) {
	case 0:
		return &exec.List{}
	case 1:
		return lists[0]
	}
	half := len(lists) / 2
	l := mergeLists(lists[:half], limit)
	l.Merge(mergeLists(lists[half:], limit), limit)
	return l
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

// each asks one owner of each of the shards, several at a time. A panic in one
// is an *exec.PanicError, like that of a stream.
func (r *Reader) each(ctx context.Context, found []part, f func(ctx context.Context, i int, p data.Peer) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.cfg.ReadShards)
	for i := range found {
		g.Go(func() (err error) {
			defer func() {
				if v := recover(); v != nil {
					err = &exec.PanicError{Value: v, Stack: debug.Stack()}
				}
			}()
			return r.ask(ctx, found[i], func(p data.Peer) error { return f(ctx, i, p) })
		})
	}
	return g.Wait()
}

// finalError is an answer that no other owner can better.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

// ask calls f for one owner of a shard after the other, this node first, until
// one has answered.
func (r *Reader) ask(ctx context.Context, s part, f func(data.Peer) error) error {
	var failed []error
	for _, node := range r.owners(s.shard) {
		p := r.peers.Peer(node)
		if p == nil {
			failed = append(failed, fmt.Errorf("node %d cannot be reached", node))
			continue
		}
		err := f(p)
		if err == nil || ctx.Err() != nil || isFinal(err) {
			return err
		}
		failed = append(failed, fmt.Errorf("node %d: %w", node, err))
	}
	return fmt.Errorf("%w: no owner of shard %d answers: %w", model.ErrUnavailable, s.shard.ID, errors.Join(failed...))
}

// owners gives the nodes that can answer for a shard, this one first.
func (r *Reader) owners(s *meta.Shard) []uint64 {
	var nodes []uint64
	for _, o := range s.Owners {
		switch {
		case o.State != meta.Active && o.State != meta.Leaving:
		case o.Node == r.peers.Local:
			nodes = slices.Insert(nodes, 0, o.Node)
		default:
			nodes = append(nodes, o.Node)
		}
	}
	return nodes
}

// isFinal reports whether err is about the request, not about the owner.
func isFinal(err error) bool {
	var final *finalError
	if errors.As(err, &final) {
		return true
	}
	for _, kind := range []error{model.ErrInvalid, model.ErrTooLarge, model.ErrNotSupported, model.ErrInterrupted} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
