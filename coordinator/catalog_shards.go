package coordinator

import (
	"context"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// ShardGroups implements query.ShardGroups.
func (c *Catalog) ShardGroups(_ context.Context, database string) ([]query.ShardGroup, error) {
	snapshot := c.meta.Snapshot()
	d := snapshot.Database(database)
	if d == nil {
		return nil, nil
	}
	several := len(snapshot.Nodes()) > 1
	var out []query.ShardGroup
	for _, p := range d.Policies {
		for _, g := range snapshot.Groups(p.UID, model.AllTime) {
			out = append(out, describeGroup(p, g, several))
		}
	}
	return out, nil
}

func describeGroup(p *meta.Policy, g *meta.ShardGroup, owners bool) query.ShardGroup {
	start, end := time.Unix(0, g.Start), time.Unix(0, g.End)
	out := query.ShardGroup{ID: g.ID, Policy: p.Name, Start: start, End: end, Expiry: end.Add(p.Duration)}
	for _, sh := range g.Shards {
		s := query.ShardOwners{ID: sh.ID}
		for _, o := range sh.Owners {
			if owners {
				s.Nodes = append(s.Nodes, o.Node)
			}
		}
		out.Shards = append(out.Shards, s)
	}
	return out
}

// DropShard implements query.ShardGroups.
func (c *Catalog) DropShard(ctx context.Context, id uint64) error { return c.meta.DropShard(ctx, id) }
