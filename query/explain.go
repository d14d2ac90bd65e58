package query

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// explain runs EXPLAIN and EXPLAIN ANALYZE.
func (r *statementRun) explain(ctx context.Context, stmt *influxql.ExplainStatement) error {
	if err := r.normalize(ctx, stmt.Statement); err != nil {
		return err
	}
	r.read.Partial = false
	if stmt.Analyze {
		return r.explainAnalyze(ctx, stmt.Statement)
	}
	_, bound, err := r.bind(ctx, stmt.Statement)
	if err != nil {
		return err
	}
	bound.SetReport(plan.CostReport)
	nodes, err := r.planNodes(ctx, bound)
	if err != nil {
		return err
	}
	var lines []string
	for i, n := range nodes {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, n.lines()...)
	}
	return r.lines("QUERY PLAN", lines)
}

// planNode is an expression that is read from shards.
type planNode struct {
	expression string
	auxiliary  []string
	shards     int
	series     int64
	cost       exec.Cost
}

// planNodes asks the shards what the calls of a statement, or its rows, and
// those of its subqueries would read.
func (r *statementRun) planNodes(ctx context.Context, b *plan.Bound) ([]*planNode, error) {
	var nodes []*planNode
	for i := range b.Scans {
		n := &planNode{}
		for _, f := range b.Scans[i].Fragments {
			if f.Inner != nil {
				inner, err := r.planNodes(ctx, f.Inner)
				if err != nil {
					return nil, err
				}
				nodes = append(nodes, inner...)
				continue
			}
			if err := r.cost(ctx, f, n); err != nil {
				return nil, err
			}
		}
		if n.shards == 0 {
			continue
		}
		n.auxiliary = b.Auxiliary()
		for _, expression := range expressions(b, i) {
			one := *n
			one.expression = expression
			nodes = append(nodes, &one)
		}
	}
	return nodes, nil
}

// cost adds what a fragment would read.
func (r *statementRun) cost(ctx context.Context, f *plan.Fragment, n *planNode) error {
	streams, err := r.executor.storage.Scan(ctx, r.read, f)
	if err != nil {
		return err
	}
	for i, s := range streams {
		reports, err := exec.Reports(ctx, s)
		if err != nil {
			for _, s := range streams[i+1:] {
				_ = s.Close() // it was not begun
			}
			return err
		}
		for _, report := range reports {
			n.shards++
			n.series += report.Series
			n.cost.Add(report.Cost)
		}
	}
	return nil
}

// expressions gives what the calls take of a scan, sorted; of rows "<nil>", as
// InfluxDB has it.
func expressions(b *plan.Bound, scan int) []string {
	var all []string
	for i := range b.Calls {
		if b.Calls[i].Scan == scan {
			all = append(all, b.Calls[i].Expression())
		}
	}
	if len(all) == 0 {
		return []string{"<nil>"}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (n *planNode) lines() []string {
	lines := []string{"EXPRESSION: " + n.expression}
	if len(n.auxiliary) > 0 {
		lines = append(lines, "AUXILIARY FIELDS: "+strings.Join(n.auxiliary, ", "))
	}
	for _, figure := range []struct {
		name string
		n    int64
	}{
		{"NUMBER OF SHARDS", int64(n.shards)},
		{"NUMBER OF SERIES", n.series},
		{"CACHED VALUES", n.cost.Cached},
		{"NUMBER OF FILES", n.cost.Files},
		{"NUMBER OF BLOCKS", n.cost.Blocks},
		{"SIZE OF BLOCKS", n.cost.Bytes},
	} {
		lines = append(lines, fmt.Sprintf("%s: %d", figure.name, figure.n))
	}
	return lines
}

// lines gives a result of one column of texts.
func (r *statementRun) lines(column string, lines []string) error {
	if len(lines) == 0 {
		lines = []string{""} // nothing is read
	}
	t := newTable("", column, model.String)
	for _, line := range lines {
		t.text(0, line)
	}
	return r.table(t)
}
