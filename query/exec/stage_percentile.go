package exec

import (
	"context"
	"math"

	"github.com/varvedb/varve/query/plan"
)

// percentileStage is percentile() beside fields and tags: it selects a point of
// each window, at the window's time where there are windows.
type percentileStage struct {
	stage  *plan.Stage
	window passage
	rows   keptRows
	sorted []int // of rows
}

func newPercentileStage(ctx context.Context, window *plan.Window, s *plan.Stage, held *budget) *percentileStage {
	return &percentileStage{stage: s, window: passage{window: window}, rows: keptRows{ctx: ctx, held: held}}
}

func (p *percentileStage) add(in, out *points) error {
	for i, at := range in.times {
		if !in.value.Has(i) {
			continue
		}
		if p.window.left(at) {
			if err := p.end(out); err != nil {
				return err
			}
		}
		p.window.enter(at)
		p.sorted = append(p.sorted, p.rows.append(in, i))
		if i%rowsBetweenCounts == 0 {
			if err := p.rows.count(); err != nil {
				return err
			}
		}
	}
	return p.rows.count()
}

// end hands out the point of a window, if that has points enough to have one.
func (p *percentileStage) end(out *points) error {
	n := len(p.sorted)
	if i := int(math.Floor(float64(n)*p.stage.Argument/100+0.5)) - 1; i >= 0 && i < n {
		order := stoppable{ctx: p.rows.ctx, n: n, less: p.less, swap: p.swap}
		if err := order.sort(); err != nil {
			return err
		}
		row := p.sorted[i]
		at := p.rows.times[row]
		if !p.window.window.IsZero() {
			at = label(p.window.start)
		}
		out.appendRow(&p.rows.points, row, at)
	}
	p.rows.reset()
	p.sorted = p.sorted[:0]
	return p.rows.count()
}

func (p *percentileStage) swap(i, j int) { p.sorted[i], p.sorted[j] = p.sorted[j], p.sorted[i] }

// less is the order of values alone. Which of equal ones is selected is up to
// sort.Sort, as in InfluxDB.
func (p *percentileStage) less(i, j int) bool {
	return p.rows.orderValues(p.sorted[i], p.sorted[j]) < 0
}
