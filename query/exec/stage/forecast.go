package stage

import (
	"context"
	"math"

	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/plan"
)

// forecastStage is holt_winters(): it needs all points of the group at once.
// Windows of the calendar count by their numbers, since months differ in length.
type forecastStage struct {
	ctx      context.Context
	window   *plan.Window
	forecast function.Forecaster
	held     *Budget
	times    []int64
	values   []float64
}

func newForecastStage(ctx context.Context, window *plan.Window, s *plan.Stage, held *Budget) Stage {
	f := &forecastStage{ctx: ctx, window: window, held: held, forecast: function.Forecaster{
		Horizon: s.N, Season: s.Season, Interval: s.Unit, WithFit: s.Function == function.HoltWintersWithFit,
	}}
	if window.Months > 0 {
		f.forecast.Interval = 1
	}
	return f
}

func (f *forecastStage) Add(in, _ *Points) error {
	if err := f.held.take(16 * len(in.Times)); err != nil {
		return err
	}
	for i, at := range in.Times {
		if v, ok := numberOf(&in.Value, i); ok {
			f.times, f.values = append(f.times, f.number(at)), append(f.values, v)
		}
	}
	return nil
}

// number gives what stands for the time of a point.
func (f *forecastStage) number(at int64) int64 {
	if f.window.Months > 0 {
		return f.window.Index(at)
	}
	return at
}

// time is the inverse of number.
func (f *forecastStage) time(number int64) int64 {
	if f.window.Months > 0 {
		start, _ := f.window.Bounds(0)
		return f.window.Move(start, number-f.window.Index(start))
	}
	return number
}

func (f *forecastStage) End(out *Points) error {
	if err := f.held.take(f.forecast.Bytes(f.times)); err != nil {
		return err
	}
	times, values, err := f.forecast.Forecast(f.ctx, f.times, f.values)
	if err != nil {
		return err
	}
	for i, v := range values {
		out.Times = append(out.Times, f.time(times[i]))
		out.Value.AppendBits(math.Float64bits(v))
	}
	return nil
}
