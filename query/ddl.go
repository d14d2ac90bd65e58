package query

import (
	"context"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// change gives what a statement does that changes the metadata, or drops series;
// nil for other statements.
func (r *statementRun) change(stmt influxql.Statement) func(context.Context) error {
	catalog := r.executor.catalog
	switch stmt := stmt.(type) {
	case *influxql.CreateDatabaseStatement:
		return func(ctx context.Context) error {
			return catalog.CreateDatabase(ctx, stmt.Name, databasePolicy(stmt))
		}
	case *influxql.DropDatabaseStatement:
		return func(ctx context.Context) error { return catalog.DropDatabase(ctx, stmt.Name) }
	case *influxql.CreateRetentionPolicyStatement:
		return func(ctx context.Context) error {
			return catalog.CreatePolicy(ctx, stmt.Database, PolicySpec{
				Name:          stmt.Name,
				Duration:      &stmt.Duration,
				ShardDuration: given(stmt.ShardGroupDuration),
				Replication:   copies(stmt.Replication),
				FutureLimit:   given(stmt.FutureWriteLimit),
				PastLimit:     given(stmt.PastWriteLimit),
			}, stmt.Default)
		}
	case *influxql.AlterRetentionPolicyStatement:
		return func(ctx context.Context) error {
			return catalog.AlterPolicy(ctx, stmt.Database, stmt.Name, PolicyChange{
				Duration:      stmt.Duration,
				ShardDuration: stmt.ShardGroupDuration,
				Replication:   stmt.Replication,
				FutureLimit:   stmt.FutureWriteLimit,
				PastLimit:     stmt.PastWriteLimit,
				MakeDefault:   stmt.Default,
			})
		}
	case *influxql.DropRetentionPolicyStatement:
		return func(ctx context.Context) error { return catalog.DropPolicy(ctx, stmt.Database, stmt.Name) }
	case *influxql.CreateContinuousQueryStatement:
		return func(ctx context.Context) error { return r.createContinuousQuery(ctx, stmt) }
	case *influxql.DropContinuousQueryStatement:
		return func(ctx context.Context) error { return catalog.DropContinuousQuery(ctx, stmt.Database, stmt.Name) }
	case *influxql.CreateSubscriptionStatement:
		return func(ctx context.Context) error {
			return hideURLs(catalog.CreateSubscription(ctx, stmt.Database, Subscription{
				Policy: stmt.RetentionPolicy, Name: stmt.Name, Mode: stmt.Mode, Destinations: stmt.Destinations,
			}), stmt.Destinations)
		}
	case *influxql.DropSubscriptionStatement:
		return func(ctx context.Context) error {
			return catalog.DropSubscription(ctx, stmt.Database, stmt.RetentionPolicy, stmt.Name)
		}
	case *influxql.DropShardStatement:
		return func(ctx context.Context) error { return catalog.DropShard(ctx, stmt.ID) }
	case *influxql.DropMeasurementStatement:
		return func(ctx context.Context) error {
			return r.remove(ctx, model.IsMeasurement(stmt.Name), model.AllTime)
		}
	case *influxql.DropSeriesStatement:
		return func(ctx context.Context) error { return r.dropSeries(ctx, stmt) }
	}
	return nil
}

// databasePolicy gives the policy that CREATE DATABASE … WITH describes, or nil.
func databasePolicy(stmt *influxql.CreateDatabaseStatement) *PolicySpec {
	if !stmt.RetentionPolicyCreate {
		return nil
	}
	return &PolicySpec{
		Name:          stmt.RetentionPolicyName,
		Duration:      stmt.RetentionPolicyDuration,
		ShardDuration: given(stmt.RetentionPolicyShardGroupDuration),
		Replication:   stmt.RetentionPolicyReplication,
		FutureLimit:   stmt.FutureWriteLimit,
		PastLimit:     stmt.PastWriteLimit,
	}
}

// given gives nil for a duration that the statement left out.
func given(d time.Duration) *time.Duration {
	if d == 0 {
		return nil
	}
	return &d
}

// copies gives nil for a number of replicas that was left out, which the parser
// does not allow.
func copies(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}
