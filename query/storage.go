package query

import (
	"context"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// Storage is the shards of the cluster. Package coordinator implements it: it
// finds the shards, asks one owner of each, and fails over to another.
//
// A shard that no owner can be asked for is an error of kind
// model.ErrUnavailable, and so is a database or policy that the metadata does not
// know any more: it was there when the statement began. An answer is never made
// of fewer shards than it should be, unless the Read wants a partial one, and
// then it notes so.
type Storage interface {
	// Schema gives the measurements for which where holds, by name, as the
	// union of the shards. where tests the measurement only
	// (model.MeasurementKey); nil is every measurement.
	Schema(ctx context.Context, read *Read, shards Shards, where *model.Predicate) ([]plan.Schema, error)

	// Scan prepares f on every shard of its policy and range and gives one
	// stream per shard, in order of the shards' times (latest first when f is
	// descending). Nothing has to run before the first Next.
	Scan(ctx context.Context, read *Read, f *plan.Fragment) ([]exec.Stream, error)

	// List runs q on all the shards and merges the answers.
	List(ctx context.Context, read *Read, shards []Shards, q *exec.ListRequest) (*exec.List, error)

	// Delete removes what d covers from all the shards, and returns when that
	// is durable. The range of d is not wider than that of the shards.
	Delete(ctx context.Context, shards []Shards, d *model.Delete) error
}

// Shards names the shards of one policy that may hold a range of time. The
// range picks shards; it does not clip what is in them.
type Shards struct {
	Database, Policy string
	Range            model.TimeRange
}
