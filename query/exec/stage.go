package exec

import (
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// points is rows of one call of one group on their way through the call's
// stages, in the statement's order of time. A row without a value is a window
// that fill(null) left empty; most functions skip it.
type points struct {
	times []int64
	value model.Column
	aux   []model.Column // of the slots from AuxFrom on, for functions that select rows
}

func newPoints(t model.FieldType, aux ...model.FieldType) points {
	p := points{value: model.Column{Field: model.Field{Type: t}}}
	for _, t := range aux {
		p.aux = append(p.aux, model.Column{Field: model.Field{Type: t}})
	}
	return p
}

// empty gives columns as those of p without rows.
func (p *points) empty() points {
	e := points{value: model.Column{Field: p.value.Field}, aux: make([]model.Column, len(p.aux))}
	for i := range p.aux {
		e.aux[i].Field = p.aux[i].Field
	}
	return e
}

// appendAll adds all rows of o.
func (p *points) appendAll(o *points) {
	if len(p.times) == 0 {
		*p = *o
		return
	}
	for i, at := range o.times {
		p.appendRow(o, i, at)
	}
}

// stage is a function over the points of a group. There is one for each call
// and group.
type stage interface {
	// add takes in rows and appends what it can make by now to out, whose columns
	// have the types of the stage's result. It keeps nothing of in.
	add(in, out *points) error
	// end appends what is left to out, after the last add.
	end(out *points) error
}

// budget counts the memory of the stages of a group together.
type budget struct{ account memory.Account }

// take asks for bytes of state, give returns them.
func (b *budget) take(bytes int) error { return b.account.Add(bytes) }

func (b *budget) give(bytes int) { _ = b.account.Add(-bytes) } // giving back does not fail

// newStage makes a stage of a call. Its state counts against held, and it ends
// soon after the statement does.
func (g *grouper) newStage(call *plan.BoundCall, s *plan.Stage, held *budget) (stage, error) {
	ctx, b := g.ctx, g.b
	switch s.Function {
	case function.Derivative, function.NonNegativeDerivative, function.Difference, function.NonNegativeDifference:
		return newChange(s, b.Descending), nil
	case function.Elapsed:
		return &elapsed{unit: s.Unit}, nil
	case function.CumulativeSum:
		return &cumulativeSum{t: s.Type}, nil
	case function.MovingAverage:
		return &movingAverage{t: s.Type, n: s.N, held: held}, nil
	case function.ExponentialMovingAverage, function.DoubleExponentialMovingAverage, function.TripleExponentialMovingAverage,
		function.TripleExponentialDerivative, function.RelativeStrengthIndex, function.ChandeMomentumOscillator,
		function.KaufmansEfficiencyRatio, function.KaufmansAdaptiveMovingAverage:
		return newTechnicalStage(s, held)
	case function.HoltWinters, function.HoltWintersWithFit:
		return newForecastStage(ctx, &b.Window, s, held), nil
	case function.Top, function.Bottom:
		best := newBestStage(ctx, &b.Window, b.Descending, s, held)
		best.selected = s.Selected && g.apart
		return best, nil
	case function.Sample:
		return newSampleStage(ctx, &b.Window, b.Descending, s, held), nil
	case function.Percentile:
		return newPercentileStage(ctx, &b.Window, s, held), nil
	case function.Integral:
		return newIntegralStage(b, s), nil
	}
	return nil, &model.Error{Kind: model.ErrNotSupported, Text: s.Function.String() + "() is not supported yet"}
}
