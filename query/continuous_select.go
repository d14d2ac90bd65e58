package query

import (
	"errors"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/plan"
)

// ContinuousSelect is a continuous query that was parsed: a SELECT … INTO that
// is run again and again, and when.
type ContinuousSelect struct {
	Window plan.Window   // of GROUP BY time, never zero
	Every  time.Duration // of RESAMPLE EVERY; 0: not given
	For    time.Duration // of RESAMPLE FOR; 0: not given
	// Database and Policy are the target's, "" where the text does not say.
	Database, Policy string

	in   string // database
	stmt *influxql.SelectStatement
}

var errNoContinuous = errors.New("query isn't a valid continuous query")

// ParseContinuous reads the text of a continuous query of a database. What it
// refuses can never run.
func ParseContinuous(database, text string) (*ContinuousSelect, error) {
	q, err := (&Request{Text: text}).parse()
	if err != nil {
		return nil, err
	}
	if len(q.Statements) != 1 {
		return nil, invalid(errNoContinuous)
	}
	create, ok := q.Statements[0].(*influxql.CreateContinuousQueryStatement)
	if !ok || create.Source.Target == nil || create.Source.Target.Measurement == nil {
		return nil, invalid(errNoContinuous)
	}
	if create.Source.IsRawQuery {
		return nil, invalid(errors.New("continuous queries must be aggregate queries"))
	}
	sel, err := plan.Compile(create.Source, plan.Options{})
	if err != nil {
		return nil, err
	}
	w := sel.Window()
	if w.IsZero() {
		return nil, invalid(errors.New("continuous queries must have a GROUP BY time"))
	}
	target := create.Source.Target.Measurement
	return &ContinuousSelect{
		Window: w, Every: create.ResampleEvery, For: create.ResampleFor,
		Database: target.Database, Policy: target.RetentionPolicy,
		in: database, stmt: create.Source,
	}, nil
}

// Over gives the query over a range of time, which takes the place of what its
// WHERE clause says of time. guard is asked before each write; its error ends
// the query.
func (c *ContinuousSelect) Over(r model.TimeRange, guard func() error) (*Query, error) {
	stmt := c.stmt.Clone()
	where, _, err := influxql.ConditionExpr(stmt.Condition, &influxql.NowValuer{Now: time.Now(), Location: stmt.Location})
	if err != nil {
		return nil, invalid(err)
	}
	stmt.Condition = and(timeIs(influxql.GTE, r.Min), timeIs(influxql.LTE, r.Max))
	if where != nil {
		stmt.Condition = and(&influxql.ParenExpr{Expr: where}, stmt.Condition)
	}
	return &Query{
		req:        Request{Text: stmt.String(), Database: c.in, guard: guard, continuous: true},
		statements: influxql.Statements{stmt},
	}, nil
}

func timeIs(op influxql.Token, t int64) influxql.Expr {
	return &influxql.BinaryExpr{Op: op, LHS: &influxql.VarRef{Val: "time"}, RHS: &influxql.TimeLiteral{Val: time.Unix(0, t).UTC()}}
}

func and(a, b influxql.Expr) influxql.Expr {
	return &influxql.BinaryExpr{Op: influxql.AND, LHS: a, RHS: b}
}

// Written is a Sink for one SELECT … INTO: it takes up how many points were
// written, and the error.
type Written struct {
	Points int64
	Err    error
}

var _ Sink = (*Written)(nil)

// Begin implements Sink.
func (w *Written) Begin(Statement) error { return nil }

// Rows implements Sink.
func (w *Written) Rows(r *exec.Rows) error {
	w.Points = int64(r.Values[0].Bits[0])
	return nil
}

// End implements Sink.
func (w *Written) End(o Outcome) error {
	w.Err = o.Err
	return nil
}
