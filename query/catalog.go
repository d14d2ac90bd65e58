package query

import (
	"context"
	"time"
)

// Catalog is what the cluster agrees on: the databases with their retention
// policies, and what belongs to them. Package coordinator implements it over the
// cluster's metadata.
//
// The texts of errors are shown to clients as they are, so they are those of
// InfluxDB: "database not found: x", "retention policy not found: x",
// "retention policy already exists" … each with its kind of package model. An
// error of kind model.ErrNotFound is certain: when the metadata cannot be
// asked, the kind is model.ErrUnavailable.
type Catalog interface {
	// Databases gives all databases in the order in which they were created. The
	// result is shared and not changed.
	Databases(ctx context.Context) ([]*Database, error)
	// Database gives one database, or model.ErrNotFound.
	Database(ctx context.Context, name string) (*Database, error)

	// Policy gives one policy of a database, or model.ErrNotFound.
	Policy(ctx context.Context, database, policy string) (Policy, error)

	// CreateDatabase makes a database. With a nil policy it gets the default
	// one, and an existing database is no error. With a policy, an existing
	// database must have an equal policy as its default.
	CreateDatabase(ctx context.Context, name string, policy *PolicySpec) error
	// DropDatabase removes a database and all that is in it; none is no error.
	DropDatabase(ctx context.Context, name string) error

	// CreatePolicy makes a policy. An equal one that exists is no error.
	CreatePolicy(ctx context.Context, database string, policy PolicySpec, makeDefault bool) error
	// AlterPolicy changes the parts of a policy that change sets.
	AlterPolicy(ctx context.Context, database, policy string, change PolicyChange) error
	// DropPolicy removes a policy and all that is in it; none is no error.
	DropPolicy(ctx context.Context, database, policy string) error

	ContinuousQueries
	Subscriptions
	Users
	ShardGroups
}

// Database is a database as queries see it.
type Database struct {
	Name          string
	DefaultPolicy string   // may name a policy that was dropped
	Policies      []Policy // in order of creation, as SHOW RETENTION POLICIES prints them
}

// Policy gives a policy by name.
func (d *Database) Policy(name string) (Policy, bool) {
	for _, p := range d.Policies {
		if p.Name == name {
			return p, true
		}
	}
	return Policy{}, false
}

// Policy is a retention policy.
type Policy struct {
	Name          string
	Duration      time.Duration // 0: for ever
	ShardDuration time.Duration
	Replication   int
	FutureLimit   time.Duration // 0: none
	PastLimit     time.Duration // 0: none
}

// PolicySpec is what a statement asks of a new policy. A nil field was not
// given and takes its default.
type PolicySpec struct {
	Name          string // "": the default name, in CREATE DATABASE
	Duration      *time.Duration
	ShardDuration *time.Duration
	Replication   *int
	FutureLimit   *time.Duration
	PastLimit     *time.Duration
}

// PolicyChange is what ALTER RETENTION POLICY changes. A nil field stays.
type PolicyChange struct {
	Duration      *time.Duration
	ShardDuration *time.Duration
	Replication   *int
	FutureLimit   *time.Duration
	PastLimit     *time.Duration
	MakeDefault   bool
}
