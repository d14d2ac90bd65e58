package coordinator

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/query"
)

// Catalog is the databases and policies of meta as queries see them.
type Catalog struct {
	meta *meta.Store
}

var _ query.Catalog = (*Catalog)(nil)

// NewCatalog gives the Catalog of a store.
func NewCatalog(store *meta.Store) *Catalog { return &Catalog{meta: store} }

// Databases implements query.Catalog.
func (c *Catalog) Databases(context.Context) ([]*query.Database, error) {
	snapshot := c.meta.Snapshot()
	all := snapshot.Databases()
	slices.SortFunc(all, func(a, b *meta.Database) int { return cmp.Compare(a.UID, b.UID) })
	out := make([]*query.Database, len(all))
	for i, d := range all {
		out[i] = describe(snapshot, d)
	}
	return out, nil
}

// Database implements query.Catalog.
func (c *Catalog) Database(ctx context.Context, name string) (*query.Database, error) {
	d, err := c.meta.Database(ctx, name)
	if err != nil {
		return nil, err
	}
	return describe(c.meta.Snapshot(), d), nil
}

// Policy implements query.Catalog.
func (c *Catalog) Policy(ctx context.Context, database, policy string) (query.Policy, error) {
	_, p, err := c.meta.Policy(ctx, database, policy)
	if err != nil {
		return query.Policy{}, err
	}
	return describePolicy(c.meta.Snapshot(), p), nil
}

func describe(s *meta.Snapshot, d *meta.Database) *query.Database {
	out := &query.Database{Name: d.Name, DefaultPolicy: d.DefaultPolicy, Policies: make([]query.Policy, len(d.Policies))}
	for i, p := range d.Policies {
		out.Policies[i] = describePolicy(s, p)
	}
	return out
}

// describePolicy shows the replication factor that is in force.
func describePolicy(s *meta.Snapshot, p *meta.Policy) query.Policy {
	return query.Policy{
		Name:          p.Name,
		Duration:      p.Duration,
		ShardDuration: p.ShardDuration,
		Replication:   s.Factor(p),
		FutureLimit:   p.FutureLimit,
		PastLimit:     p.PastLimit,
	}
}

// CreateDatabase implements query.Catalog.
func (c *Catalog) CreateDatabase(ctx context.Context, name string, policy *query.PolicySpec) error {
	if policy == nil {
		return c.meta.CreateDatabase(ctx, name, nil)
	}
	spec := specOf(policy)
	return c.meta.CreateDatabase(ctx, name, &spec)
}

// DropDatabase implements query.Catalog.
func (c *Catalog) DropDatabase(ctx context.Context, name string) error {
	return c.meta.DropDatabase(ctx, name)
}

// CreatePolicy implements query.Catalog.
func (c *Catalog) CreatePolicy(ctx context.Context, database string, policy query.PolicySpec, makeDefault bool) error {
	return c.meta.CreatePolicy(ctx, database, specOf(&policy), makeDefault)
}

// AlterPolicy implements query.Catalog.
func (c *Catalog) AlterPolicy(ctx context.Context, database, policy string, change query.PolicyChange) error {
	return c.meta.AlterPolicy(ctx, database, policy, meta.PolicyUpdate{
		Duration:      change.Duration,
		ShardDuration: change.ShardDuration,
		Replicas:      change.Replication,
		FutureLimit:   change.FutureLimit,
		PastLimit:     change.PastLimit,
		Default:       change.MakeDefault,
	})
}

// DropPolicy implements query.Catalog.
func (c *Catalog) DropPolicy(ctx context.Context, database, policy string) error {
	return c.meta.DropPolicy(ctx, database, policy)
}

func specOf(p *query.PolicySpec) meta.PolicySpec {
	return meta.PolicySpec{
		Name:          p.Name,
		Duration:      p.Duration,
		ShardDuration: orZero(p.ShardDuration),
		Replicas:      p.Replication,
		FutureLimit:   orZero(p.FutureLimit),
		PastLimit:     orZero(p.PastLimit),
	}
}

func orZero(d *time.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return *d
}
