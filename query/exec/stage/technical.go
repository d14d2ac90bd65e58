package stage

import (
	"fmt"
	"math"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/plan"
)

// technicalStage feeds a function of technical analysis point by point.
type technicalStage struct {
	function function.Running
	held     *Budget
	left     int // points for which the function may still grow
}

// stepBytes is what a function keeps of a point of its period, at most.
const stepBytes = 32

func newTechnicalStage(s *plan.Stage, held *Budget) (Stage, error) {
	t := function.Technical{Period: s.N, Hold: s.Hold}
	switch {
	case s.Warmup != "":
		var ok bool
		if t.Warmup, ok = function.LookupWarmup(s.Warmup); !ok {
			return nil, fmt.Errorf("%s: warm-up %s: %w", s.Function, s.Warmup, model.ErrInvalid)
		}
	case s.Function == function.ChandeMomentumOscillator:
		t.Warmup = function.WarmNone
	}
	return &technicalStage{function: function.NewTechnical(s.Function, t), held: held, left: s.N}, nil
}

func (t *technicalStage) Add(in, out *Points) error {
	grown := min(t.left, len(in.Times))
	if err := t.held.take(grown * stepBytes); err != nil {
		return err
	}
	t.left -= grown
	for i, at := range in.Times {
		v, ok := numberOf(&in.Value, i)
		if !ok {
			continue
		}
		if result, ok := t.function.Next(v); ok {
			out.Times = append(out.Times, at)
			out.Value.AppendBits(math.Float64bits(result))
		}
	}
	return nil
}

func (t *technicalStage) End(*Points) error { return nil }

// numberOf gives a number of a column as a float; ok is false where it is missing.
func numberOf(c *model.Column, i int) (v float64, ok bool) {
	if !c.Has(i) {
		return 0, false
	}
	switch bits := c.Bits[i]; c.Type {
	case model.Integer:
		return float64(int64(bits)), true
	case model.Unsigned:
		return float64(bits), true
	default:
		return math.Float64frombits(bits), true
	}
}
