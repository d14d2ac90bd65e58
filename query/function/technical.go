package function

import "math"

// Running is a function of the values of a group so far, fed one by one in the
// order of their times. ok is false while there is no result.
type Running interface {
	Next(v float64) (result float64, ok bool)
}

// Technical is the literal arguments of a function of technical analysis.
type Technical struct {
	Period int // at least 1
	Hold   int // how many of the first values give no result; -1 derives it from Period
	Warmup Warmup
}

// indicator is what a function computes, without its hold.
type indicator interface {
	add(v float64) float64
	// lead gives the values before the first meaningful one.
	lead() int
}

// NewTechnical gives a function of technical analysis; nil if f is none. What
// it keeps grows with the values that it is fed, up to 16 bytes for each of the
// period's.
func NewTechnical(f ID, t Technical) Running {
	var in indicator
	finite := false
	chain := func() [3]average {
		a := newAverage(t.Period, t.Warmup)
		return [3]average{a, a, a}
	}
	switch f {
	case ExponentialMovingAverage:
		in = &exponential{chain()}
	case DoubleExponentialMovingAverage:
		in = &doubleExponential{chain()}
	case TripleExponentialMovingAverage:
		in = &tripleExponential{chain()}
	case TripleExponentialDerivative:
		in, finite = &tripleDerivative{ema: chain()}, true
	case RelativeStrengthIndex:
		in = &relativeStrength{newSwing(t)}
	case ChandeMomentumOscillator:
		if t.Warmup == WarmNone {
			in = &chandeSums{history: history{size: t.Period - 1}}
		} else {
			in = &chandeAverages{newSwing(t)}
		}
	case KaufmansEfficiencyRatio:
		in, finite = &efficiency{history: history{size: t.Period}}, true
	case KaufmansAdaptiveMovingAverage:
		in, finite = &adaptive{ratio: efficiency{history: history{size: t.Period}}}, true
	default:
		return nil
	}
	hold := t.Hold
	if hold < 0 {
		hold = in.lead()
	}
	return &held{indicator: in, left: hold, finite: finite}
}

// held gives no results for the first values.
type held struct {
	indicator
	left   int
	finite bool // whether infinite results are left out
}

func (h *held) Next(v float64) (float64, bool) {
	x := h.add(v)
	if h.left > 0 {
		h.left--
		return 0, false
	}
	return x, !h.finite || !math.IsInf(x, 0)
}
