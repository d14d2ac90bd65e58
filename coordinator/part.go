package coordinator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// part is the rows of a write that go to one shard.
type part struct {
	group *meta.ShardGroup
	shard *meta.Shard
	batch *model.Batch // nil when no row is left

	refused refusal // the rows that were taken out of batch
}

func (p *part) ref() data.ShardRef { return shardRef(p.group, p.shard) }

func shardRef(g *meta.ShardGroup, s *meta.Shard) data.ShardRef {
	return data.ShardRef{Database: g.Database, Policy: g.Policy, Group: g.ID, Shard: s.ID, Revision: s.Revision}
}

// split cuts a batch into the parts of the shards it belongs to, whose groups
// are made when missing. Rows that the policy would not keep go nowhere.
func (w *Writer) split(ctx context.Context, policy *meta.Policy, b *model.Batch) ([]part, refusal, error) {
	bounds := boundsOf(policy, time.Now())
	all := b.Range()
	if bounds.take(all.Min) && bounds.take(all.Max) && (w.meta.Snapshot().Group(policy.UID, all.Min) != nil || uint64(all.Max-all.Min) < uint64(policy.ShardDuration)) {
		g, err := w.group(ctx, policy, all.Min)
		if err != nil {
			return nil, refusal{}, err
		}
		if g.Contains(all.Max) && len(g.Shards) == 1 {
			return []part{{group: g, shard: &g.Shards[0], batch: b}}, refusal{}, nil
		}
	}

	missing, err := w.spread(policy, b, bounds)
	if err != nil {
		return nil, refusal{}, err
	}
	if err := w.meta.EnsureGroups(ctx, policy.UID, missing); err != nil {
		return nil, refusal{}, passing(ctx, err)
	}
	d := destinations{find: func(t int64) (*meta.ShardGroup, error) { return w.group(ctx, policy, t) }, limit: w.cfg.GroupsPerWrite}
	r := route{to: make([][]int32, len(b.Tables))}
	var out beyond
	for i := range b.Tables {
		t := &b.Tables[i]
		r.to[i] = make([]int32, len(t.Times))
		for row, at := range t.Times {
			if !bounds.take(at) {
				r.to[i][row] = nowhere
				out.add(bounds, b.Series[t.Series[row]].Key, at)
				continue
			}
			to, err := d.of(at, b.Series[t.Series[row]].Hash)
			if err != nil {
				return nil, refusal{}, err
			}
			r.to[i][row] = to
		}
	}
	r.n = len(d.parts)
	for i, batch := range distribute(b, r) {
		d.parts[i].batch = batch
	}
	return d.parts, out.refusal(bounds), nil
}

// spread gives a time in each of the shard groups that rows within bounds belong
// to and that are missing. It refuses rows that would go to more groups than
// one write may touch, before any is made: the groups of a refused write would
// stay.
func (w *Writer) spread(policy *meta.Policy, b *model.Batch, bounds *bounds) (missing []int64, err error) {
	snapshot := w.meta.Snapshot()
	starts := make(map[int64]struct{})
	var start int64   // of the group of the row before
	var length uint64 // of that group
	for i := range b.Tables {
		for _, at := range b.Tables[i].Times {
			if !bounds.take(at) || uint64(at-start) < length {
				continue
			}
			g := snapshot.Group(policy.UID, at)
			if g != nil {
				start, length = g.Start, uint64(g.End-g.Start)
			} else {
				start = time.Unix(0, at).Truncate(policy.ShardDuration).UnixNano()
				length = uint64(policy.ShardDuration)
			}
			if _, seen := starts[start]; seen {
				continue
			}
			if len(starts) == w.cfg.GroupsPerWrite {
				return nil, tooSpread(w.cfg.GroupsPerWrite)
			}
			starts[start] = struct{}{}
			if g == nil {
				missing = append(missing, at)
			}
		}
	}
	return missing, nil
}

func tooSpread(limit int) error {
	return &model.Error{Kind: model.ErrTooLarge, Text: fmt.Sprintf("write spans more than %d shard groups: send it in smaller parts", limit)}
}

// group gives the shard group that holds t, making it when missing.
func (w *Writer) group(ctx context.Context, policy *meta.Policy, t int64) (*meta.ShardGroup, error) {
	if g := w.meta.Snapshot().Group(policy.UID, t); g != nil {
		return g, nil
	}
	g, err := w.meta.EnsureGroup(ctx, policy.UID, t)
	if err != nil {
		return nil, passing(ctx, err)
	}
	return g, nil
}

// destinations numbers the shards that a write goes to.
type destinations struct {
	find   func(t int64) (*meta.ShardGroup, error)
	limit  int
	groups []groupParts // by start
	last   int          // the group found last: rows come in runs
	parts  []part
}

// groupParts is a group and the numbers of its shards' parts.
type groupParts struct {
	group *meta.ShardGroup
	parts []int32 // by shard; nowhere: not used yet
}

// of gives the number of the part of a row.
func (d *destinations) of(t int64, series model.SeriesHash) (int32, error) {
	if d.last >= len(d.groups) || !d.groups[d.last].group.Contains(t) {
		if err := d.seek(t); err != nil {
			return 0, err
		}
	}
	g := &d.groups[d.last]
	shard := g.group.ShardOf(series)
	i := 0
	for &g.group.Shards[i] != shard {
		i++
	}
	if g.parts[i] == nowhere {
		g.parts[i] = int32(len(d.parts))
		d.parts = append(d.parts, part{group: g.group, shard: shard})
	}
	return g.parts[i], nil
}

// seek sets d.last to the group of t.
func (d *destinations) seek(t int64) error {
	after, _ := slices.BinarySearchFunc(d.groups, t, func(g groupParts, t int64) int {
		if g.group.Start <= t {
			return -1
		}
		return 1
	})
	if after > 0 && d.groups[after-1].group.Contains(t) {
		d.last = after - 1
		return nil
	}
	if len(d.groups) >= d.limit {
		return tooSpread(d.limit)
	}
	g, err := d.find(t)
	if err != nil {
		return err
	}
	parts := make([]int32, len(g.Shards))
	for i := range parts {
		parts[i] = nowhere
	}
	d.groups = slices.Insert(d.groups, after, groupParts{group: g, parts: parts})
	d.last = after
	return nil
}
