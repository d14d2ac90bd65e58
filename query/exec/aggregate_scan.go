package exec

import (
	"errors"
	"io"
	"math"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

// What one worker does is at least so many series: starting another costs as
// much as reading some.
const (
	workerSeries = 32
	// taskSeries is about how many series the groups of one task have.
	taskSeries = 16
)

// aggregate runs a fragment with aggregates: several groups at a time, or
// several parts of one group where it does not matter to the result.
func (r *runner) aggregate() error {
	series := 0
	for i := range r.groups {
		series += len(r.groups[i].series)
	}
	if len(r.groups) < 2*taskSeries && series > 0 && r.splits() {
		return r.aggregateParts(series)
	}
	tasks := r.tasks()
	extra := r.workers.take(min(len(tasks)-1, series/workerSeries-1))
	defer r.workers.give(extra)
	order := newTurns(len(tasks), r.emit)
	return together(extra, func(int) (err error) {
		a, err := r.newAggregator()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, a.close()) }()
		return order.work(func(task int, emit func(*Partial) error) error {
			for i := range tasks[task] {
				if err := a.group(&tasks[task][i], emit); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// tasks cuts the groups into runs of about taskSeries series.
func (r *runner) tasks() (tasks [][]group) {
	from, series := 0, 0
	for i := range r.groups {
		if series += len(r.groups[i].series); series >= taskSeries {
			tasks = append(tasks, r.groups[from:i+1])
			from, series = i+1, 0
		}
	}
	if from < len(r.groups) {
		tasks = append(tasks, r.groups[from:])
	}
	return tasks
}

// splits reports whether the states of parts of a group's series, merged in
// order, are those of the group to the last bit.
func (r *runner) splits() bool {
	for _, g := range r.f.Aggregates {
		switch g.Function {
		case function.Count, function.Min, function.Max, function.Spread:
		case function.First, function.Last:
			if r.f.Window.IsZero() {
				return false // tiedRow looks at all series
			}
		case function.Sum, function.Mean:
			// Floats add up in InfluxDB's order only one after the other.
			for _, at := range r.inputs[g.Input] {
				if t := r.fields[at].Type; t != model.Integer && t != model.Unsigned {
					return false
				}
			}
		default:
			if !g.Function.Collects() {
				return false
			}
		}
	}
	return r.f.RowLimit == 0
}

// aggregateParts has several workers share the series of every group.
func (r *runner) aggregateParts(series int) (err error) {
	extra := r.workers.take(series/workerSeries - 1)
	defer r.workers.give(extra)
	all := make([]*aggregator, 1+extra)
	for i := range all {
		if all[i], err = r.newAggregator(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, all[i].close()) }()
	}
	all[0].helpers = all[1:]
	for i := range r.groups {
		if err := all[0].group(&r.groups[i], r.emit); err != nil {
			return err
		}
	}
	return nil
}

// group computes the aggregates of a group.
func (a *aggregator) group(g *group, emit func(*Partial) error) error {
	if a.f.RowLimit > 0 {
		if err := a.firstWindows(g.series); err != nil {
			return err
		}
	} else if err := a.take(g.series, a.f.Range); err != nil {
		return err
	}
	p, err := a.finish(g)
	if p == nil || err != nil {
		return err
	}
	return emit(p)
}

// takeAlone takes in the rows of series within a range.
func (a *aggregator) takeAlone(series []uint32, r model.TimeRange) error {
	for member, id := range series {
		if err := a.series(id, member, r); err != nil {
			return err
		}
	}
	return nil
}

// series takes in the rows of a series, the group's number member, in a range.
func (a *aggregator) series(id uint32, member int, r model.TimeRange) error {
	filter, none := a.filter(id)
	if none {
		return a.ctx.Err()
	}
	a.at, a.begun = id, false
	for a.cursor.Seek(id, r); ; {
		g, err := a.cursor.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := a.ctx.Err(); err != nil {
			return err
		}
		done, err := a.byStats(g, member, filter, r)
		if err != nil {
			return err
		}
		if !done {
			if err := a.read(g, filter, r); err != nil {
				return err
			}
			a.load.pack(a.used)
			if err := a.rows(member, nil); err != nil {
				return err
			}
		}
		if a.early && a.settled(member) {
			return nil
		}
	}
}

// settled reports whether every first() or last() of a series is known: its
// granules come in the order in which the first one that has a value does.
func (a *aggregator) settled(member int) bool {
	for _, c := range a.perSeries {
		if len(c.n) <= member || c.n[member] == 0 {
			return false
		}
	}
	return true
}

// take takes in the rows of series within a range, with the helpers.
func (a *aggregator) take(series []uint32, r model.TimeRange) error {
	n := 1 + len(a.helpers)
	if n == 1 || len(series) < n*workerSeries {
		return a.takeAlone(series, r)
	}
	parts := make([]*Partial, n)
	err := together(n-1, func(worker int) error {
		part := series[len(series)*worker/n : len(series)*(worker+1)/n]
		if worker == 0 {
			return a.takeAlone(part, r)
		}
		h := a.helpers[worker-1]
		if err := h.takeAlone(part, r); err != nil {
			return err
		}
		p, err := h.finish(&group{})
		parts[worker] = p
		return err
	})
	for _, p := range parts[1:] {
		if err == nil {
			err = a.merge(p)
		}
	}
	return err
}

// merge takes in what another aggregator computed of later series of the group.
func (a *aggregator) merge(p *Partial) error {
	if p == nil {
		return nil
	}
	for i, start := range p.Times {
		slot, _, err := a.slot(start)
		if err != nil {
			return err
		}
		at := 0
		for _, c := range a.cells {
			n := len(c.states)
			if taken := c.merge(slot, p.Columns[at:at+n], i); taken && a.aux != nil {
				a.aux.merge(slot, p.Columns[len(p.Columns)-len(a.aux.types):], i)
			}
			at += n
		}
	}
	return a.checkBytes(0)
}

// firstWindows takes in the first windows that have points, RowLimit of them or
// more; the last ones when descending.
func (a *aggregator) firstWindows(series []uint32) error {
	for left, n := a.f.Range, a.f.RowLimit; ; n *= 4 {
		at, some, err := a.nearest(series, left)
		if err != nil || !some {
			return err
		}
		now := a.windowsFrom(at, n, left)
		if err := a.take(series, now); err != nil {
			return err
		}
		found := 0
		for slot := range a.windows.starts {
			if a.some(int32(slot)) {
				found++
			}
		}
		switch {
		case found >= a.f.RowLimit:
			return nil
		case a.f.Descending && now.Min > left.Min:
			left.Max = now.Min - 1
		case !a.f.Descending && now.Max < left.Max:
			left.Min = now.Max + 1
		default:
			return nil
		}
	}
}

// windowsFrom gives the range of about n windows, of which that of a time is
// the first one in the fragment's order, as far as they are within r.
func (a *aggregator) windowsFrom(at int64, n int, r model.TimeRange) model.TimeRange {
	start, end := a.f.Window.Bounds(at)
	if int64(n) > math.MaxInt64/a.f.Window.Every {
		return r
	}
	reach := int64(n) * a.f.Window.Every
	if a.f.Descending {
		if min := start - reach; min < start && min > r.Min {
			r.Min = min
		}
	} else if max := end - 1 + reach; max > end && max < r.Max {
		r.Max = max
	}
	return r
}

// nearest gives the first time within r that a row of series can have; the last
// one when descending.
func (a *aggregator) nearest(series []uint32, r model.TimeRange) (at int64, some bool, err error) {
	for _, id := range series {
		if err := a.ctx.Err(); err != nil {
			return 0, false, err
		}
		a.cursor.Seek(id, r)
		g, err := a.cursor.Next()
		if errors.Is(err, io.EOF) {
			continue
		} else if err != nil {
			return 0, false, err
		}
		if a.f.Descending {
			if t := min(g.Range().Max, r.Max); !some || t > at {
				at = t
			}
		} else if t := max(g.Range().Min, r.Min); !some || t < at {
			at = t
		}
		some = true
	}
	return at, some, nil
}
