package function

import (
	"context"
	"math"
)

// Forecaster is the method of Holt and Winters with a damped trend and, where
// there is one, a multiplicative season: the initial values and weights are
// those with the least sum of squared errors over the points.
type Forecaster struct {
	Horizon  int   // how many intervals to forecast, at least 1
	Season   int   // intervals of a season; under 2 is no season
	Interval int64 // nanoseconds between points
	WithFit  bool  // whether what the points would have been is part of the result
}

// Forecast gives the forecast for points of ascending times. Of points that
// fall into one interval the first counts. It is empty where there are too few
// points. It fails only when ctx ends.
func (f Forecaster) Forecast(ctx context.Context, times []int64, values []float64) (at []int64, forecast []float64, err error) {
	n := len(times)
	if f.tooFew(n) {
		return nil, nil, nil
	}
	first, last := f.round(times[0]), f.round(times[n-1])
	if last <= first {
		return nil, nil, nil
	}
	fit := &fitting{ctx: ctx, values: f.regular(times, values)}
	if f.Season >= 2 {
		fit.season = f.Season
	}
	best, err := fit.best()
	if err != nil {
		return nil, nil, err
	}
	var all []float64
	err = fit.forecast(best, len(fit.values)+min(f.Horizon, math.MaxInt-len(fit.values)), func(_ int, y float64) { all = append(all, y) })
	if err != nil {
		return nil, nil, err
	}
	start := times[0]
	if !f.WithFit {
		all = all[len(fit.values):]
		start = times[n-1] + f.Interval
	}
	for i, y := range all {
		if !math.IsNaN(y) {
			at = append(at, start+int64(i)*f.Interval)
			forecast = append(forecast, y)
		}
	}
	return at, forecast, nil
}

// round gives the multiple of the interval that is nearest to t, seen from 0.
func (f Forecaster) round(t int64) int64 {
	n := t / f.Interval
	if t%f.Interval > f.Interval/2 {
		n++
	}
	return n * f.Interval
}

// tooFew reports whether n points are too few for a forecast.
func (f Forecaster) tooFew(n int) bool { return n < 2 || f.Season >= 2 && n < f.Season }

// Bytes tells how much memory a forecast takes for points of ascending times:
// the values with the gaps between them, the result, and a simplex over the
// season's factors. What would be more than an int can say is cut.
func (f Forecaster) Bytes(times []int64) int {
	n := len(times)
	if f.tooFew(n) {
		return 0
	}
	intervals := max(0, float64(times[n-1])-float64(times[0])) / float64(f.Interval)
	parameters := firstFactor + float64(max(f.Season, 0))
	bytes := 16*intervals + 48*float64(f.Horizon) + 8*parameters*(parameters+8)
	return int(min(bytes, math.MaxInt/2))
}

// regular gives one value for each interval, no number where there is none.
func (f Forecaster) regular(times []int64, values []float64) []float64 {
	y := []float64{values[0]}
	t := f.round(times[0])
	for i := 1; i < len(times); i++ {
		at := f.round(times[i])
		if at <= t {
			continue
		}
		for t += f.Interval; t != at; t += f.Interval {
			y = append(y, math.NaN())
		}
		y = append(y, values[i])
	}
	return y
}
