package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// explainAnalyze runs a SELECT, and gives what that took in place of its rows.
func (r *statementRun) explainAnalyze(ctx context.Context, stmt *influxql.SelectStatement) error {
	start := time.Now()
	_, bound, err := r.bind(ctx, stmt)
	if err != nil {
		return err
	}
	planning := time.Since(start)
	bound.SetReport(plan.RunReport)
	a := &analysis{reports: make(map[*plan.Fragment][]*exec.Report)}
	rows := 0
	err = exec.Finish(ctx, bound, func(f *plan.Fragment) ([]exec.Stream, error) {
		streams, err := r.executor.storage.Scan(ctx, r.read, f)
		for i, s := range streams {
			streams[i] = exec.Reported(s, func(report *exec.Report) { a.add(f, report) })
		}
		return streams, err
	}, func(piece *exec.Rows) error {
		r.watch.moved()
		rows += piece.Len()
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	total := time.Since(start)
	root := &span{name: ".", children: []*span{{
		name: "select",
		facts: []fact{
			{"execution_time", total - planning}, {"planning_time", planning}, {"total_time", total}, {"rows", rows},
		},
		children: []*span{a.statement(bound)},
	}}}
	return r.lines("EXPLAIN ANALYZE", root.lines())
}

// analysis is what the shards report of a statement while it runs.
type analysis struct {
	mu      sync.Mutex // protects reports: subqueries run beside each other
	reports map[*plan.Fragment][]*exec.Report
}

func (a *analysis) add(f *plan.Fragment, r *exec.Report) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reports[f] = append(a.reports[f], r)
}

// statement gives the span of a statement or subquery. A scan of several calls
// is read once.
func (a *analysis) statement(b *plan.Bound) *span {
	s := &span{name: "build_cursor", labels: []fact{{"statement", b.Statement()}}}
	for i := range b.Scans {
		scan := &span{name: "iterator_scanner"}
		if len(b.Calls) > 0 {
			scan.labels = append(scan.labels, fact{"expr", strings.Join(expressions(b, i), ", ")})
		}
		if refs := b.Auxiliary(); len(refs) > 0 {
			scan.labels = append(scan.labels, fact{"auxiliary_fields", strings.Join(refs, ", ")})
		}
		for _, f := range b.Scans[i].Fragments {
			if f.Inner != nil {
				scan.children = append(scan.children, a.statement(f.Inner))
				continue
			}
			reports := a.reports[f]
			slices.SortStableFunc(reports, func(x, y *exec.Report) int { return cmp.Compare(x.Shard, y.Shard) })
			for _, r := range reports {
				scan.children = append(scan.children, iterator(f, r))
			}
		}
		s.children = append(s.children, scan)
	}
	return s
}

// iterator gives the span of a fragment at a shard. A cursor is a field of a
// series.
func iterator(f *plan.Fragment, r *exec.Report) *span {
	s := &span{
		name:   "create_iterator",
		labels: []fact{{"measurement", f.Measurement}, {"node_id", r.Node}, {"shard_id", r.Shard}},
	}
	fields := func(inputs []int) int64 {
		n := int64(0)
		for _, i := range inputs {
			if len(f.Inputs[i].Fields) > 0 {
				n++
			}
		}
		return n
	}
	var driving, selected, other []int
	for _, g := range f.Aggregates {
		driving = append(driving, g.Input)
	}
	selected = f.Columns
	for i := range f.Inputs {
		if !slices.Contains(driving, i) && !slices.Contains(selected, i) {
			other = append(other, i)
		}
	}
	s.facts = []fact{
		{"cursors_ref", r.Series * fields(driving)},
		{"cursors_aux", r.Series * fields(selected)},
		{"cursors_cond", r.Series * fields(other)},
	}
	for _, t := range []model.FieldType{model.Float, model.Integer, model.Unsigned, model.String, model.Boolean} {
		s.facts = append(s.facts,
			fact{t.String() + "_blocks_decoded", r.Blocks[t]}, fact{t.String() + "_blocks_size_bytes", r.BlockBytes[t]})
	}
	s.facts = append(s.facts,
		fact{"series", r.Series}, fact{"granules", r.Granules}, fact{"rows_decoded", r.Rows}, fact{"rows_answered", r.Answered},
		fact{"planning_time", r.Planning}, fact{"execution_time", r.Running})
	return s
}

// span is a node of the tree that EXPLAIN ANALYZE draws.
type span struct {
	name          string
	labels, facts []fact
	children      []*span
}

type fact struct {
	name  string
	value any
}

// lines draws the tree.
func (s *span) lines() []string {
	lines := []string{s.name}
	var below [][]string
	leaf := func(f fact) []string { return []string{fmt.Sprintf("%s: %v", f.name, f.value)} }
	if len(s.labels) > 0 {
		labels := &span{name: "labels", facts: s.labels}
		below = append(below, labels.lines())
	}
	for _, f := range s.facts {
		below = append(below, leaf(f))
	}
	for _, c := range s.children {
		below = append(below, c.lines())
	}
	for i, part := range below {
		first, rest := "├── ", "│   "
		if i == len(below)-1 {
			first, rest = "└── ", "    "
		}
		for j, line := range part {
			if j == 0 {
				lines = append(lines, first+line)
			} else {
				lines = append(lines, rest+line)
			}
		}
	}
	return lines
}
