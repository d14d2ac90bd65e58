package exec

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/varvedb/varve/internal/sorting"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// RunFragment runs f over the rows of src and hands the partial results to
// emit, in the order that Partial describes. It stops soon after ctx ends, and
// when emit gives an error. It does not close src. What it holds is counted by
// the budget of ctx, or bounded by f.MaxBytes where that has none; what it reads
// is counted by the Tally of ctx, if there is one.
func RunFragment(ctx context.Context, src Source, f *plan.Fragment, emit func(*Partial) error) error {
	return (*Workers)(nil).RunFragment(ctx, src, f, emit)
}

// RunFragment does what the function of this name does, on several processors
// where there is much to do and w has goroutines to spare.
func (w *Workers) RunFragment(ctx context.Context, src Source, f *plan.Fragment, emit func(*Partial) error) error {
	ctx, budget := memory.Bounded(ctx, int64(f.MaxBytes))
	r := &runner{ctx: ctx, src: src, f: f, emit: emit, workers: w, budget: budget, index: budget.Account()}
	defer r.index.Close()
	if f.Report == plan.CostReport || f.Report == plan.RunReport {
		return runReported(r)
	}
	if t := TallyOf(ctx); t != nil {
		defer r.tallied(t)()
	}
	return r.run()
}

// runner is one run of a fragment.
type runner struct {
	ctx  context.Context
	src  Source
	f    *plan.Fragment
	emit func(*Partial) error

	fields []model.Field // those of the fragment that the shard has
	inputs [][]int       // by input, the indexes into fields
	groups []group
	points atomic.Int64 // that were read

	// The inputs that are made of fields: those of the answer, those that the
	// filter looks at, and those of the answer that it does not look at.
	needed, tested, neededBeside []int
	bySeries                     bool // the filter has conditions on the series

	workers *Workers
	budget  *memory.Budget
	index   memory.Account // of series and groups
}

// run makes the answer.
func (r *runner) run() error {
	if !r.resolve() {
		return nil
	}
	if err := r.group(); err != nil {
		return err
	}
	if err := r.limitGroups(); err != nil {
		return err
	}
	switch {
	case !r.f.Raw():
		return r.aggregate()
	case r.f.Best != nil:
		return r.bestRows()
	}
	return r.rows()
}

// group is the series of one group.
type group struct {
	key    []string
	series []uint32 // in InfluxDB's order: by key, backwards when descending; by id where no order shows
}

// resolve finds the fields that this shard has. It reports false when none of
// them can make a row.
func (r *runner) resolve() bool {
	stored := r.src.Fields(r.f.Measurement)
	at := make([]int, len(r.f.Fields))
	for i, f := range r.f.Fields {
		at[i] = -1
		if _, ok := slices.BinarySearchFunc(stored, f, compareFields); ok {
			at[i] = len(r.fields)
			r.fields = append(r.fields, f)
		}
	}
	r.inputs = make([][]int, len(r.f.Inputs))
	for i, in := range r.f.Inputs {
		for _, f := range in.Fields {
			if at[f] >= 0 {
				r.inputs[i] = append(r.inputs[i], at[f])
			}
		}
	}
	needed := make([]bool, len(r.inputs))
	for _, c := range r.f.Columns {
		needed[c] = true
	}
	for _, a := range r.f.Aggregates {
		needed[a.Input] = true
	}
	tested := make([]bool, len(r.inputs))
	if r.f.Filter != nil {
		r.bySeries = r.f.Filter.Inputs(tested)
	}
	for i, fields := range r.inputs {
		if len(fields) == 0 {
			continue
		}
		if tested[i] {
			r.tested = append(r.tested, i)
		} else if needed[i] {
			r.neededBeside = append(r.neededBeside, i)
		}
		if needed[i] {
			r.needed = append(r.needed, i)
		}
	}
	if r.f.Raw() {
		return slices.ContainsFunc(r.f.Columns, func(c int) bool { return len(r.inputs[c]) > 0 })
	}
	return slices.ContainsFunc(r.f.Aggregates, func(a plan.Aggregate) bool { return len(r.inputs[a.Input]) > 0 })
}

// compareFields is the order of Source.Fields.
func compareFields(x, y model.Field) int {
	return cmp.Or(strings.Compare(x.Name, y.Name), cmp.Compare(x.Type, y.Type))
}

// group sorts the series that can have rows into groups.
func (r *runner) group() error {
	series, err := r.src.Series(r.f.Measurement, r.f.Where)
	if err != nil {
		return err
	}
	if n := r.f.MaxSeries; n > 0 && len(series) > n {
		return &model.Error{Kind: model.ErrTooLarge, Text: fmt.Sprintf("max-select-series limit exceeded: (%d/%d)", len(series), n)}
	}
	if len(r.f.GroupBy) == 0 {
		if len(series) > 0 {
			r.groups = []group{{series: series}}
		}
	} else {
		if err := r.groupByTags(series); err != nil {
			return err
		}
	}
	if r.anyOrder() {
		return nil
	}
	for i := range r.groups {
		if !r.picks(len(r.groups[i].series)) {
			if err := r.sortSeries(r.groups[i].series); err != nil {
				return err
			}
		}
	}
	return nil
}

// anyOrder reports whether the answer is the same to the last bit in whatever
// order the series of a group come. Files have them in order of id: in the order
// of their keys a million of them take several times as long.
func (r *runner) anyOrder() bool {
	for _, g := range r.f.Aggregates {
		switch g.Function {
		case function.Count:
		case function.Sum, function.Mean, function.Spread:
			for _, at := range r.inputs[g.Input] {
				if t := r.fields[at].Type; t != model.Integer && t != model.Unsigned {
					return false
				}
			}
		default:
			return false
		}
	}
	return !r.f.Raw() && len(r.f.Columns) == 0
}

// What a group takes beside its texts: its place in two tables, and its key.
const groupBytes = 160

func (r *runner) groupByTags(series []uint32) error {
	byKey := map[string]int{}
	var text []byte
	bytes := 0
	key := make([]string, len(r.f.GroupBy))
	for j := range series {
		if j%checkEvery == 0 {
			if err := cmp.Or(r.ctx.Err(), r.index.Add(bytes)); err != nil {
				return err
			}
			bytes = 0
		}
		bytes += 4
		r.key(key, series[j])
		text = text[:0]
		for _, value := range key {
			text = append(text, value...)
			text = append(text, 0)
		}
		i, ok := byKey[string(text)]
		if !ok {
			i = len(r.groups)
			byKey[string(text)] = i
			// A group of one series is the rule and needs no memory of its own.
			r.groups = append(r.groups, group{key: slices.Clone(key), series: series[j : j+1 : j+1]})
			bytes += groupBytes + len(text) + len(key)*stringBytes
			continue
		}
		r.groups[i].series = append(r.groups[i].series, series[j])
	}
	return sorting.Elements(r.ctx, len(r.groups),
		func(i, j int) bool { return slices.Compare(r.groups[i].key, r.groups[j].key) < 0 },
		func(i, j int) { r.groups[i], r.groups[j] = r.groups[j], r.groups[i] })
}

// key gives the values of a series that its group has.
func (r *runner) key(dst []string, series uint32) {
	if len(dst) <= 2 {
		for i, k := range r.f.GroupBy {
			dst[i] = r.src.Tag(series, k)
		}
		return
	}
	tags := r.src.Tags(series)
	for i, k := range r.f.GroupBy {
		dst[i] = tags.Get(k)
	}
}

// sortSeries orders series by key, backwards when descending.
func (r *runner) sortSeries(series []uint32) error {
	if len(series) < 2 {
		return r.ctx.Err()
	}
	keys := make([]string, len(series))
	held := r.budget.Account()
	defer held.Close()
	bytes := 0
	for i, id := range series {
		if i%checkEvery == 0 {
			if err := cmp.Or(r.ctx.Err(), held.Set(bytes)); err != nil {
				return err
			}
		}
		keys[i] = string(r.src.Key(id))
		bytes += stringBytes + len(keys[i])
	}
	less := func(i, j int) bool { return (keys[i] < keys[j]) != r.f.Descending }
	return sorting.Elements(r.ctx, len(series), less, func(i, j int) {
		series[i], series[j] = series[j], series[i]
		keys[i], keys[j] = keys[j], keys[i]
	})
}

// limitGroups says which groups there are, if asked to, and leaves out the
// others. Then it puts the groups in the order of the answer.
func (r *runner) limitGroups() error {
	if n := r.f.GroupLimit; n > 0 {
		r.groups = r.groups[:min(n, len(r.groups))]
		p := &Partial{Groups: make([][]string, len(r.groups))}
		for i := range r.groups {
			p.Groups[i] = r.groups[i].key
		}
		if err := r.emit(p); err != nil {
			return err
		}
	}
	if r.f.Descending {
		slices.Reverse(r.groups)
	}
	return nil
}

// filter gives the filter for the rows of a series: nil when all of them pass.
// none is set when no row passes.
func (r *runner) filter(series uint32) (filter *plan.Expr, none bool) {
	if r.f.Filter == nil {
		return nil, false
	}
	if !r.bySeries {
		return r.f.Filter, r.f.Filter.IsFalse()
	}
	filter = r.f.Filter.ForSeries(r.f.Measurement, r.src.Tags(series))
	switch {
	case filter.IsTrue():
		return nil, false
	case filter.IsFalse():
		return nil, true
	}
	return filter, false
}

// read counts rows that were read.
func (r *runner) read(rows int) error {
	if n := int64(r.f.MaxPoints); n > 0 {
		if points := r.points.Add(int64(rows)); points > n {
			return &model.Error{Kind: model.ErrTooLarge, Text: fmt.Sprintf("max-select-point limit exceeed: (%d/%d)", points, n)}
		}
	}
	return r.ctx.Err()
}
