package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// shards gives all live shards, by database, policy and time.
func (a *Admin) shards(s *meta.Snapshot, r *reports) []adminapi.Shard {
	out := []adminapi.Shard{}
	for g := range s.AllGroups {
		if !g.Live() {
			continue
		}
		d, p := s.Policy(g.Policy)
		if p == nil {
			continue // dropped
		}
		for i := range g.Shards {
			out = append(out, describe(s, r, d, p, g, &g.Shards[i]))
		}
	}
	slices.SortFunc(out, func(x, y adminapi.Shard) int {
		return cmp.Or(cmp.Compare(x.Database, y.Database), cmp.Compare(x.Policy, y.Policy), x.Start.Compare(y.Start), cmp.Compare(x.ID, y.ID))
	})
	return out
}

func describe(s *meta.Snapshot, r *reports, d *meta.Database, p *meta.Policy, g *meta.ShardGroup, sh *meta.Shard) adminapi.Shard {
	out := adminapi.Shard{
		ID: sh.ID, Group: g.ID, Database: d.Name, Policy: p.Name, Revision: sh.Revision, Wanted: s.Wanted(sh.ID),
		Start: time.Unix(0, g.Start).UTC(), End: time.Unix(0, g.End).UTC(),
	}
	if p.Duration > 0 {
		out.Expires = out.End.Add(p.Duration)
	}
	for _, o := range sh.Owners {
		v := adminapi.Owner{Node: o.Node, Name: nameOf(s, o.Node), State: string(o.State), Alive: s.Alive(o.Node)}
		if said := r.replicas[[2]uint64{sh.ID, o.Node}]; said != nil {
			v.Known, v.InSync, v.Behind, v.Age = true, said.InSync, said.Behind, said.Age
			v.Bytes, v.Doing, v.Damage = said.Bytes, said.Doing, said.Damage
		}
		out.Owners = append(out.Owners, v)
	}
	if m := s.Move(sh.ID); m != nil {
		v := moveOf(s, r, m, &out)
		out.Move = &v
	}
	return out
}

func moveOf(s *meta.Snapshot, r *reports, m *meta.Move, sh *adminapi.Shard) adminapi.Move {
	v := adminapi.Move{
		Shard: m.Shard, Database: sh.Database, Policy: sh.Policy,
		From: nameOf(s, m.From), To: nameOf(s, m.To), Why: string(m.Why), Started: m.Started,
	}
	for _, o := range sh.Owners {
		if o.Node == m.To {
			v.Current, v.Doing = o.Bytes, o.Doing
		} else if v.Total = max(v.Total, o.Bytes); o.Node == m.From && v.Doing == "" {
			v.Doing = o.Doing
		}
	}
	v.Current = min(v.Current, v.Total)
	return v
}

// copyShard begins to give a shard one more owner.
func (a *Admin) copyShard(ctx context.Context, id uint64, r adminapi.MoveRequest) (any, error) {
	to, err := a.find(r.To)
	if err != nil {
		return nil, err
	}
	if r.From != "" { // who takes a copy chooses the source, but a wrong name is a mistake
		if _, err := a.owner(id, r.From); err != nil {
			return nil, err
		}
	}
	return nil, a.Store.CopyShard(ctx, id, to.ID)
}

// moveShard begins to move a replica to another node.
func (a *Admin) moveShard(ctx context.Context, id uint64, r adminapi.MoveRequest) (any, error) {
	from, err := a.owner(id, r.From)
	if err != nil {
		return nil, err
	}
	to, err := a.find(r.To)
	if err != nil {
		return nil, err
	}
	return nil, a.Store.MoveShard(ctx, id, from, to.ID)
}

// removeShard takes a replica off a node.
func (a *Admin) removeShard(ctx context.Context, id uint64, r adminapi.MoveRequest) (any, error) {
	from, err := a.owner(id, r.From)
	if err != nil {
		return nil, err
	}
	return nil, a.Store.RemoveShard(ctx, id, from)
}

// cancelMove gives up a copy that has not ended. One other than what is named
// is not given up.
func (a *Admin) cancelMove(ctx context.Context, id uint64, r adminapi.MoveRequest) (any, error) {
	if _, _, err := a.shard(id); err != nil {
		return nil, err
	}
	if err := a.Store.Refresh(ctx); err != nil {
		return nil, err
	}
	s := a.Store.Snapshot()
	m := s.Move(id)
	if m == nil {
		return nil, &model.Error{Kind: model.ErrNotFound, Text: fmt.Sprintf("no copy or move of shard %d is under way", id)}
	}
	// A copy does not keep which owner was named as its source.
	for text, node := range map[string]uint64{r.From: m.From, r.To: m.To} {
		if text == "" || node == 0 {
			continue
		}
		n, err := a.find(text)
		if err != nil {
			return nil, err
		}
		if n.ID != node {
			return nil, &model.Error{Kind: model.ErrConflict, Text: fmt.Sprintf("what is under way of shard %d is from %q to %q", id, nameOf(s, m.From), nameOf(s, m.To))}
		}
	}
	return nil, a.Store.CancelMove(ctx, id)
}

// owner gives the owner of a shard that a person means, which may be a node
// that was removed.
func (a *Admin) owner(shard uint64, text string) (uint64, error) {
	_, sh, err := a.shard(shard)
	if err != nil {
		return 0, err
	}
	n, err := a.find(text)
	for _, o := range sh.Owners {
		if n != nil && o.Node == n.ID || n == nil && text == fmt.Sprint(o.Node) {
			return o.Node, nil
		}
	}
	if err != nil {
		return 0, err
	}
	return 0, &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("%s is not an owner of shard %d", n.Name, shard)}
}
