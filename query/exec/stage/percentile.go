package stage

import (
	"context"
	"math"

	"github.com/varvedb/varve/internal/sorting"
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

func newPercentileStage(ctx context.Context, window *plan.Window, s *plan.Stage, held *Budget) *percentileStage {
	return &percentileStage{stage: s, window: passage{window: window}, rows: keptRows{ctx: ctx, held: held}}
}

func (p *percentileStage) Add(in, out *Points) error {
	for i, at := range in.Times {
		if !in.Value.Has(i) {
			continue
		}
		if p.window.left(at) {
			if err := p.End(out); err != nil {
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

// End hands out the point of a window, if that has points enough to have one.
func (p *percentileStage) End(out *Points) error {
	n := len(p.sorted)
	if i := int(math.Floor(float64(n)*p.stage.Argument/100+0.5)) - 1; i >= 0 && i < n {
		if err := sorting.Elements(p.rows.ctx, n, p.less, p.swap); err != nil {
			return err
		}
		row := p.sorted[i]
		at := p.rows.Times[row]
		if !p.window.window.IsZero() {
			at = plan.Label(p.window.start)
		}
		out.AppendRow(&p.rows.Points, row, at)
	}
	p.rows.Reset()
	p.sorted = p.sorted[:0]
	return p.rows.count()
}

func (p *percentileStage) swap(i, j int) { p.sorted[i], p.sorted[j] = p.sorted[j], p.sorted[i] }

// less is the order of values alone. Which of equal ones is selected is up to
// sort.Sort, as in InfluxDB.
func (p *percentileStage) less(i, j int) bool {
	return p.rows.orderValues(p.sorted[i], p.sorted[j]) < 0
}
