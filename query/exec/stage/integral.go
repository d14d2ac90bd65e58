package stage

import (
	"math"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/plan"
)

// integralStage is integral(): the area under the lines between points, cut at
// the ends of windows. What it does with windows between two points, with
// integers there, and in descending order is what InfluxDB 1.8.10 does.
type integralStage struct {
	window     *plan.Window
	times      model.TimeRange // the statement's
	descending bool
	unit       float64

	some         bool
	at           int64 // of the point before
	value        float64
	start, until int64 // of the window, exchanged when descending
	sum          float64
}

func newIntegralStage(b *plan.Bound, s *plan.Stage) *integralStage {
	return &integralStage{window: &b.Window, times: b.Range, descending: b.Descending, unit: float64(s.Unit)}
}

func (g *integralStage) Add(in, out *Points) error {
	float := in.Value.Type == model.Float
	for i, at := range in.Times {
		v, ok := numberOf(&in.Value, i)
		if !ok {
			continue
		}
		switch {
		case !g.some:
			g.some = true
			g.open(at, float)
		case at == g.at: // the last of equal times counts
		case g.past(at, float):
			end := v
			if g.at != g.until {
				slope := (v - g.value) / float64(at-g.at)
				edge := slope*float64(g.until-g.at) + g.value
				g.area(g.until, edge)
				if float {
					g.value = edge
				} else {
					end = edge // so are the values of integers mixed up there
				}
				g.at = g.until
			}
			g.emit(out)
			g.open(at, float)
			g.area(at, end)
		default:
			g.area(at, v)
		}
		g.at, g.value = at, v
	}
	return nil
}

// area adds what is under the line from the point before to a value.
func (g *integralStage) area(at int64, v float64) {
	g.sum += 0.5 * (v + g.value) * (float64(at-g.at) / g.unit)
}

// open begins the window of a time. Without windows floats know none, and
// integers that of the statement's times.
func (g *integralStage) open(at int64, float bool) {
	switch {
	case !g.window.IsZero():
		g.start, g.until = g.window.Bounds(at)
	case float:
		return
	default:
		g.start, g.until = g.times.Min, g.times.Max+1
	}
	if g.descending {
		g.start, g.until = g.until, g.start
	}
}

// past reports whether a time is behind the window.
func (g *integralStage) past(at int64, float bool) bool {
	if g.window.IsZero() && float {
		return false
	}
	if g.descending {
		return at <= g.until
	}
	return at >= g.until
}

func (g *integralStage) emit(out *Points) {
	out.Times = append(out.Times, plan.Label(g.start))
	out.Value.AppendBits(math.Float64bits(g.sum))
	g.sum = 0
}

// End hands out the last window, unless it has but a point at its beginning.
func (g *integralStage) End(out *Points) error {
	if g.some && g.at != plan.Label(g.start) {
		g.emit(out)
	}
	return nil
}
