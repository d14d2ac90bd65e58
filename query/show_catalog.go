package query

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
)

func (r *statementRun) showDatabases(ctx context.Context) error {
	dbs, err := r.executor.catalog.Databases(ctx)
	if err != nil {
		return err
	}
	t := newTable("databases", "name", model.String)
	for _, db := range dbs {
		if r.req.may(db.Name, influxql.ReadPrivilege) || r.req.may(db.Name, influxql.WritePrivilege) {
			t.text(0, db.Name)
		}
	}
	return r.table(t)
}

func (r *statementRun) showPolicies(ctx context.Context, stmt *influxql.ShowRetentionPoliciesStatement) error {
	db, err := r.database(ctx, stmt.Database)
	if err != nil {
		return err
	}
	columns := []any{
		"name", model.String, "duration", model.String, "shardGroupDuration", model.String,
		"replicaN", model.Integer, "default", model.Boolean,
	}
	// As InfluxDB 1.12 has them, before the last column. Clients of 1.8 know the
	// columns by number.
	limited := slices.ContainsFunc(db.Policies, func(p Policy) bool { return p.FutureLimit != 0 || p.PastLimit != 0 })
	if limited {
		columns = slices.Insert(columns, 8, any("futureWriteLimit"), any(model.String), any("pastWriteLimit"), any(model.String))
	}
	t := newTable("", columns...)
	for _, p := range db.Policies {
		t.text(0, p.Name)
		t.text(1, p.Duration.String())
		t.text(2, p.ShardDuration.String())
		t.bits(3, uint64(p.Replication))
		if limited {
			t.text(4, p.FutureLimit.String())
			t.text(5, p.PastLimit.String())
		}
		t.flag(len(t.Values)-1, p.Name == db.DefaultPolicy)
	}
	return r.table(t)
}

// table is a result made row by row.
type table struct{ exec.Rows }

// newTable takes names and types of the columns in turn.
func newTable(name string, columns ...any) *table {
	t := &table{exec.Rows{Name: name}}
	for i := 0; i < len(columns); i += 2 {
		f := model.Field{Name: columns[i].(string), Type: columns[i+1].(model.FieldType)}
		t.Columns = append(t.Columns, f.Name)
		t.Values = append(t.Values, model.Column{Field: f})
	}
	return t
}

func (t *table) text(column int, s string) { t.Values[column].AppendText([]byte(s)) }
func (t *table) bits(column int, v uint64) { t.Values[column].AppendBits(v) }
func (t *table) flag(column int, v bool)   { t.bits(column, bit(v)) }

// bit gives a boolean as columns have it.
func bit(v bool) uint64 {
	if v {
		return 1
	}
	return 0
}

// table gives a result as one piece. It is given without rows, too: clients
// get the names of the columns.
func (r *statementRun) table(t *table) error {
	if err := r.begin(Statement{}); err != nil {
		return err
	}
	return r.rows(&t.Rows)
}

// eachDatabase gives a result with a series for each database that who asks may
// read, but for those of which there is nil.
func (r *statementRun) eachDatabase(dbs []*Database, series func(*Database) (*table, error)) error {
	var all []*table
	for _, db := range dbs {
		if !r.req.may(db.Name, influxql.ReadPrivilege) {
			continue
		}
		t, err := series(db)
		if err != nil {
			return err
		}
		if t != nil {
			all = append(all, t)
		}
	}
	if err := r.begin(Statement{Whole: true}); err != nil {
		return err
	}
	for _, t := range all {
		if err := r.rows(&t.Rows); err != nil {
			return err
		}
	}
	return nil
}

func isNotFound(err error) bool { return errors.Is(err, model.ErrNotFound) }

// compare orders pairs of strings, the first pair first.
func compare(pairs ...string) int {
	for i := 0; i < len(pairs); i += 2 {
		if c := cmp.Compare(pairs[i], pairs[i+1]); c != 0 {
			return c
		}
	}
	return 0
}
