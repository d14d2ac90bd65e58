package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// drain has a node emptied, or that ended.
func (a *Admin) drain(ctx context.Context, n *meta.Node, r adminapi.DrainRequest) (any, error) {
	return nil, a.Store.SetDraining(ctx, n.ID, !r.Cancel)
}

// label sets labels of a node.
func (a *Admin) label(ctx context.Context, n *meta.Node, r adminapi.LabelRequest) (any, error) {
	if len(r.Labels) == 0 {
		return nil, &model.Error{Kind: model.ErrInvalid, Text: "no label is given"}
	}
	return nil, a.Store.LabelNode(ctx, n.ID, r.Labels)
}

// remove removes a node that owns nothing, or by force one that is not alive.
func (a *Admin) remove(ctx context.Context, n *meta.Node, r adminapi.RemoveRequest) (any, error) {
	if r.Force {
		if err := a.disown(ctx, n); err != nil {
			return nil, err
		}
	}
	return nil, a.Store.RemoveNode(ctx, n.ID)
}

// disown takes a node that is not alive out of the owners of all shards. It
// stops at the first one of which it is the last owner that has the data.
func (a *Admin) disown(ctx context.Context, n *meta.Node) error {
	if err := a.Store.Refresh(ctx); err != nil {
		return err
	}
	s := a.Store.Snapshot()
	if s.Alive(n.ID) {
		return &model.Error{Kind: model.ErrConflict, Text: fmt.Sprintf("node %s is alive: drain it, or stop it first", n.Name)}
	}
	for _, id := range ownedBy(s, n.ID) {
		if err := a.Store.RemoveShard(ctx, id, n.ID); err != nil {
			return err
		}
	}
	return nil
}

// ownedBy gives the live shards that a node is an owner of.
func ownedBy(s *meta.Snapshot, node uint64) (ids []uint64) {
	for g := range s.AllGroups {
		for _, sh := range g.Shards {
			for _, o := range sh.Owners {
				if o.Node == node && g.Live() {
					ids = append(ids, sh.ID)
				}
			}
		}
	}
	return ids
}

// replace moves what a node has to another one, and drains it: what cannot go
// there, since it has it already or since its owners are changing, goes
// elsewhere.
func (a *Admin) replace(ctx context.Context, old *meta.Node, r adminapi.ReplaceRequest) (any, error) {
	with, err := a.find(r.With)
	if err != nil {
		return nil, err
	}
	if with.ID == old.ID {
		return nil, &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("node %s cannot replace itself", old.Name)}
	}
	if err := a.Store.SetDraining(ctx, old.ID, true); err != nil {
		return nil, err
	}
	out := &adminapi.Replaced{}
	for _, id := range ownedBy(a.Store.Snapshot(), old.ID) {
		if err := a.Store.MoveShard(ctx, id, old.ID, with.ID); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			out.Failed = append(out.Failed, short(err))
			continue
		}
		out.Moving++
	}
	return out, nil
}

// The life of a token that lets nodes join.
const (
	tokenLife    = time.Hour
	maxTokenLife = 30 * 24 * time.Hour
)

// token makes a token that lets nodes join.
func (a *Admin) token(ctx context.Context, r adminapi.TokenRequest) (any, error) {
	switch {
	case a.Token == nil:
		return nil, &model.Error{Kind: model.ErrNotSupported, Text: "this cluster needs no token: it has no authority of its own"}
	case r.Life == 0:
		r.Life = tokenLife
	case r.Life < time.Minute || r.Life > maxTokenLife:
		return nil, &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("a token lives from %v to %v", time.Minute, maxTokenLife)}
	}
	at := time.Now().Add(r.Life)
	text, err := a.Token(ctx, r.Life)
	if err != nil {
		return nil, err
	}
	return &adminapi.Token{Token: text, Expires: at.UTC().Truncate(time.Second)}, nil
}
