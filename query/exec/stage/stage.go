package stage

import (
	"context"
	"fmt"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// Stage is a function over the points of a group. There is one for each call
// and group.
type Stage interface {
	// Add takes in rows and appends what it can make by now to out, whose columns
	// have the types of the stage's result. It keeps nothing of in.
	Add(in, out *Points) error
	// End appends what is left to out, after the last add.
	End(out *Points) error
}

// Budget counts the memory of the stages of a group together.
type Budget struct{ Account memory.Account }

// take asks for bytes of state, give returns them.
func (b *Budget) take(bytes int) error { return b.Account.Add(bytes) }

func (b *Budget) give(bytes int) { _ = b.Account.Add(-bytes) } // giving back does not fail

// New makes a stage of a call of b. Its state counts against held, and it ends soon
// after ctx does. apart is set where no two shards have rows of one time.
func New(ctx context.Context, b *plan.Bound, call *plan.BoundCall, s *plan.Stage, held *Budget, apart bool) (Stage, error) {
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
		best := newBest(ctx, &b.Window, b.Descending, s, held)
		best.selected = s.Selected && apart
		return best, nil
	case function.Sample:
		return newSampleStage(ctx, &b.Window, b.Descending, s, held), nil
	case function.Percentile:
		return newPercentileStage(ctx, &b.Window, s, held), nil
	case function.Integral:
		return newIntegralStage(b, s), nil
	}
	return nil, fmt.Errorf("%s() is no stage: %w", s.Function, model.ErrInvalid)
}
