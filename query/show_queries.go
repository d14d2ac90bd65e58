package query

import (
	"context"
	"slices"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// showQueries shows what runs here, or in a cluster on all nodes, as InfluxDB
// Enterprise does with two more columns.
func (r *statementRun) showQueries(ctx context.Context) error {
	columns := []any{
		"qid", model.Integer, "query", model.String, "database", model.String,
		"duration", model.String, "status", model.String,
	}
	all := r.executor.Running()
	cluster := r.executor.nodes != nil && r.executor.nodes.Several()
	if cluster {
		columns = append(columns, "node_id", model.Integer, "tcp_host", model.String)
		var lacking []string
		var err error
		if all, lacking, err = r.executor.nodes.Running(ctx); err != nil {
			return err
		}
		for _, node := range lacking {
			r.messages = append(r.messages, Message{Level: "warning", Text: "no answer from " + node + ": its queries are not shown"})
		}
	}
	t := newTable("", columns...)
	for _, q := range all {
		if !r.req.sees(&q) {
			continue
		}
		t.bits(0, q.ID)
		t.text(1, q.Text)
		t.text(2, q.Database)
		t.text(3, shorten(q.Age).String())
		status := "running"
		if q.Killed {
			status = "killed"
		}
		t.text(4, status)
		if cluster {
			t.bits(5, q.Node)
			t.text(6, q.Host)
		}
	}
	return r.table(t)
}

// sees reports whether who asks may see that q runs: whether he could have asked
// the same.
func (r *Request) sees(q *Running) bool {
	if r.User == nil || r.User.Admin() {
		return true
	}
	same := Request{Text: q.Text, Database: q.Database, User: r.User, Extensions: true}
	parsed, err := same.parse()
	return err == nil && !slices.ContainsFunc(parsed.Statements, func(s influxql.Statement) bool { return same.authorize(s) != nil })
}

// killQuery ends a request here, or on the node that the statement names.
func (r *statementRun) killQuery(ctx context.Context, stmt *influxql.KillQueryStatement) error {
	if stmt.Host != "" && r.executor.nodes != nil {
		return r.executor.nodes.Kill(ctx, stmt.Host, stmt.QueryID)
	}
	return r.executor.Kill(stmt.QueryID)
}

// shorten leaves out the digits that nobody reads.
func shorten(d time.Duration) time.Duration {
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= unit {
			return d.Truncate(unit)
		}
	}
	return d
}
