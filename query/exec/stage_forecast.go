package exec

import (
	"context"
	"math"

	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/plan"
)

// forecastStage is holt_winters(): it needs all points of the group at once.
type forecastStage struct {
	ctx      context.Context
	forecast function.Forecaster
	held     *budget
	times    []int64
	values   []float64
}

func newForecastStage(ctx context.Context, s *plan.Stage, held *budget) stage {
	return &forecastStage{ctx: ctx, held: held, forecast: function.Forecaster{
		Horizon: s.N, Season: s.Season, Interval: s.Unit, WithFit: s.Function == function.HoltWintersWithFit,
	}}
}

func (f *forecastStage) add(in, _ *points) error {
	if err := f.held.take(16 * len(in.times)); err != nil {
		return err
	}
	for i, at := range in.times {
		if v, ok := numberOf(&in.value, i); ok {
			f.times, f.values = append(f.times, at), append(f.values, v)
		}
	}
	return nil
}

func (f *forecastStage) end(out *points) error {
	if len(f.times) == 0 {
		return nil
	}
	if err := f.held.take(f.forecast.Bytes(f.times[0], f.times[len(f.times)-1])); err != nil {
		return err
	}
	times, values, err := f.forecast.Forecast(f.ctx, f.times, f.values)
	if err != nil {
		return err
	}
	out.times = append(out.times, times...)
	for _, v := range values {
		out.value.AppendBits(math.Float64bits(v))
	}
	return nil
}
