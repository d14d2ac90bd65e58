package function

import (
	"context"
	"math"
)

// The parameters of a fitting: four weights, the first level and trend, and
// then the season's factors.
const (
	weightLevel = iota
	weightTrend
	weightSeason
	damping
	firstLevel
	firstTrend
	firstFactor
)

// fitting looks for the parameters with the least error.
type fitting struct {
	ctx    context.Context
	values []float64 // no number where one is missing
	season int       // how many factors; 0 without a season
}

// best tries out a coarse grid of weights to begin with.
func (f *fitting) best() ([]float64, error) {
	const epsilon = 1e-4
	weights := [2]float64{0.3, 0.7}
	p := f.guess()
	var best []float64
	least := math.Inf(1)
	for i := range 16 {
		for w := range 4 {
			p[w] = weights[i>>(3-w)&1]
		}
		sum, at, err := minimize(f.squares, p, epsilon)
		if err != nil {
			return nil, err
		}
		if sum < least || best == nil {
			least, best = sum, at
		}
	}
	return best, nil
}

// guess gives the parameters to begin with. What is missing is left out.
func (f *fitting) guess() []float64 {
	const half = 0.5
	p := make([]float64, firstFactor+f.season)
	y := f.values
	if f.season == 0 {
		p[firstLevel] = half * y[0]
		if !math.IsNaN(y[1]) {
			p[firstTrend] = half * (y[1] - y[0])
		}
		return p
	}
	m := f.season
	share, step := 1/float64(m), 1/float64(m*m)
	first := y[:min(m, len(y))]
	for i, v := range first {
		if math.IsNaN(v) {
			continue
		}
		p[firstLevel] += share * v
		if m+i < len(y) && !math.IsNaN(y[m+i]) {
			p[firstTrend] += step * (y[m+i] - v)
		}
	}
	for i, v := range first {
		if !math.IsNaN(v) {
			p[firstFactor+i] = v / p[firstLevel]
		}
	}
	return p
}

// squares gives the sum of squared errors, infinite where there is no forecast
// for a value. As forecast does, it changes p.
func (f *fitting) squares(p []float64) (float64, error) {
	sum := 0.0
	err := f.forecast(p, len(f.values), func(i int, y float64) {
		switch v := f.values[i]; {
		case math.IsNaN(v):
		case math.IsNaN(y):
			sum = math.Inf(1)
		default:
			sum += (y - v) * (y - v)
		}
	})
	return sum, err
}

// forecast hands n forecasts of the first values on to use. It forces the
// weights of p into [0, 1] and leaves the last season's factors in p.
func (f *fitting) forecast(p []float64, n int, use func(i int, y float64)) error {
	for w := range p[:firstLevel] {
		if p[w] > 1 {
			p[w] = 1
		} else if p[w] < 0 {
			p[w] = 0
		}
	}
	alpha, beta, gamma, phi := p[weightLevel], p[weightTrend], p[weightSeason], p[damping]
	level, trend, factors := p[firstLevel], p[firstTrend], p[firstFactor:]
	m := f.season
	y := f.values[0]
	use(0, y)
	damp, settled := phi, false // the sum of powers of phi, and whether more change nothing
	was, ahead := 1.0, 1.0      // the season's factors
	for t := 1; t < n; t++ {
		if t%1024 == 0 && f.ctx.Err() != nil {
			return f.ctx.Err()
		}
		if m > 0 {
			// Both indexes run faster than t; so they do in InfluxDB.
			was, ahead = factors[(2*t-2)%m], factors[(3*t-2)%m]
		}
		before := level
		level = alpha*(y/was) + (1-alpha)*(before+phi*trend)
		factor := gamma*(y/(before+phi*trend)) + (1-gamma)*was
		trend = beta*(level-before) + (1-beta)*phi*trend
		y = (level + damp*trend) * ahead
		if !settled {
			more := damp + math.Pow(phi, float64(t))
			settled, damp = more == damp, more
		}
		if m > 0 {
			factors[(2*t-2)%m] = factor
		}
		use(t, y)
	}
	return f.ctx.Err()
}
