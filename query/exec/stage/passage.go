package stage

import "github.com/varvedb/varve/query/plan"

// passage tells a stage when it comes from one window into another.
type passage struct {
	window     *plan.Window
	entered    bool
	start, end int64
}

// left reports whether the next point, at t, is in another window than the one
// before.
func (p *passage) left(t int64) bool {
	return p.entered && !p.window.IsZero() && (t < p.start || t >= p.end)
}

// enter takes the time of a point.
func (p *passage) enter(t int64) {
	if p.entered && !p.left(t) {
		return
	}
	p.entered = true
	if !p.window.IsZero() {
		p.start, p.end = p.window.Bounds(t)
	}
}
