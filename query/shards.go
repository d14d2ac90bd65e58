package query

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/varvedb/varve/model"
)

// ShardGroups is the part of the Catalog that shows where data is.
type ShardGroups interface {
	// ShardGroups gives the groups of a database, by policy and time; none of a
	// database that there is not.
	ShardGroups(ctx context.Context, database string) ([]ShardGroup, error)
	// DropShard removes a shard with all that is in it; none is no error.
	DropShard(ctx context.Context, id uint64) error
}

// ShardGroup is one span of time of a policy.
type ShardGroup struct {
	ID         uint64
	Policy     string
	Start, End time.Time
	Expiry     time.Time // when it goes; its end when the policy keeps everything
	Shards     []ShardOwners
}

// ShardOwners is a shard and the nodes that keep it; nil where there is only
// one node.
type ShardOwners struct {
	ID    uint64
	Nodes []uint64
}

func (r *statementRun) showShards(ctx context.Context) error {
	dbs, err := r.executor.catalog.Databases(ctx)
	if err != nil {
		return err
	}
	return r.eachDatabase(dbs, func(db *Database) (*table, error) {
		groups, err := r.executor.catalog.ShardGroups(ctx, db.Name)
		if err != nil {
			return nil, err
		}
		t := newTable(db.Name,
			"id", model.Unsigned, "database", model.String, "retention_policy", model.String, "shard_group", model.Unsigned,
			"start_time", model.String, "end_time", model.String, "expiry_time", model.String, "owners", model.String)
		for i := range groups {
			g := &groups[i]
			for _, sh := range g.Shards {
				t.bits(0, sh.ID)
				t.text(1, db.Name)
				t.text(2, g.Policy)
				t.bits(3, g.ID)
				t.span(4, g)
				t.text(7, list(sh.Nodes))
			}
		}
		return t, nil
	})
}

func (r *statementRun) showShardGroups(ctx context.Context) error {
	dbs, err := r.executor.catalog.Databases(ctx)
	if err != nil {
		return err
	}
	t := newTable("shard groups",
		"id", model.Unsigned, "database", model.String, "retention_policy", model.String,
		"start_time", model.String, "end_time", model.String, "expiry_time", model.String)
	for _, db := range dbs {
		groups, err := r.executor.catalog.ShardGroups(ctx, db.Name)
		if err != nil {
			return err
		}
		for i := range groups {
			t.bits(0, groups[i].ID)
			t.text(1, db.Name)
			t.text(2, groups[i].Policy)
			t.span(3, &groups[i])
		}
	}
	return r.table(t)
}

// span writes the times of a group into three columns.
func (t *table) span(column int, g *ShardGroup) {
	for i, at := range []time.Time{g.Start, g.End, g.Expiry} {
		t.text(column+i, at.UTC().Format(time.RFC3339))
	}
}

// list writes numbers with commas between them.
func list(numbers []uint64) string {
	text := make([]string, len(numbers))
	for i, n := range numbers {
		text[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(text, ",")
}
