package function

import "math"

// efficiency is Kaufman's ratio of how far the values came over a period to
// how far they went on the way.
type efficiency struct {
	history
	way float64
}

func (e *efficiency) add(v float64) float64 {
	came := math.Abs(v - e.oldest().value)
	went := math.Abs(v - e.last.value)
	e.way -= e.push(step{v, went}).change
	e.way += went
	if came == 0 || e.way == 0 {
		return 0
	}
	return came / e.way
}

func (e *efficiency) lead() int { return e.size }

// adaptive is Kaufman's moving average: the ratio moves its weight between
// those of exponential averages over 2 and over 30 values.
type adaptive struct {
	ratio efficiency
	seen  int // values, up to one more than the period
	value float64
}

func (a *adaptive) add(v float64) float64 {
	const fast, slow = 2.0 / (2 + 1), 2.0 / (30 + 1)
	if a.seen <= a.ratio.size {
		a.value = a.ratio.last.value
		a.seen++
	}
	weight := a.ratio.add(v)*(fast-slow) + slow
	a.value += weight * weight * (v - a.value)
	return a.value
}

func (a *adaptive) lead() int { return a.ratio.size }
