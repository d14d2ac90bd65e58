package exec

import (
	"context"
	"errors"
	"slices"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// nested gives the stream of a fragment that reads a subquery: as from a shard
// that holds the rows of the subquery's result.
//
// Where the subquery's groups are those of the fragment, its rows go through as
// they come. Where it has more of them, aggregates take in one after the other,
// and only raw rows wait for all of those that become one group, to be put in
// order of time, and count against the memory of the query.
func nested(f *plan.Fragment, open Open) Stream {
	return Pipe(model.AllTime, func(ctx context.Context, emit func(*Partial) error) error {
		return runNested(ctx, f, open, emit)
	})
}

// errEnough ends a subquery of which no more rows are needed.
var errEnough = errors.New("enough rows")

func runNested(ctx context.Context, f *plan.Fragment, open Open, emit func(*Partial) error) error {
	ctx, budget := memory.Bounded(ctx, int64(f.MaxBytes))
	n := &nestedRun{ctx: ctx, f: f, emit: emit, budget: budget}
	if f.GroupLimit > 0 {
		groups := &heldGroups{limit: f.GroupLimit, descending: f.Descending, account: budget.Account()}
		defer groups.account.Close()
		n.emit = groups.add
		err := n.run(open)
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		return groups.emit(emit)
	}
	if err := n.run(open); !errors.Is(err, errEnough) {
		return err
	}
	return nil
}

// nestedRun is one run of a fragment that reads a subquery.
type nestedRun struct {
	ctx    context.Context
	f      *plan.Fragment
	emit   func(*Partial) error
	budget *memory.Budget
}

// rowTaker makes partials of the rows of a subquery.
type rowTaker interface {
	// add takes in rows of the group of key, in order of the groups.
	add(key []string, inner model.Tags, b *batch) error
	// end hands out what is left.
	end() error
	close()
}

func (n *nestedRun) run(open Open) error {
	var to rowTaker
	if n.f.Raw() {
		to = n.newRawTaker()
	} else {
		to = n.newAggregateTaker()
	}
	defer to.close()
	err := Finish(n.ctx, n.f.Inner, open, func(r *Rows) error {
		b := n.batch(r)
		if b.len() == 0 {
			return nil
		}
		key := make([]string, len(n.f.GroupBy))
		for i := range key {
			key[i] = r.Tags[i].Value
		}
		return to.add(key, r.Tags, b)
	})
	if err != nil {
		return err
	}
	return to.end()
}

// batch gives the rows that pass the fragment's filter, as its inputs.
func (n *nestedRun) batch(r *Rows) *batch {
	b := &batch{times: r.Times, hi: len(r.Times), inputs: make([]vector, len(n.f.Inputs))}
	for i := range n.f.Inputs {
		b.inputs[i] = nestedInput(&n.f.Inputs[i], r)
	}
	if n.f.Filter == nil {
		return b
	}
	e := evaluator{n: len(b.times), inputs: b.inputs}
	v := e.eval(n.f.Filter)
	bits, step := e.truth(&v)
	b.rows = make([]int32, 0, b.hi)
	for i := range b.hi {
		if bits[i*step] != 0 {
			b.rows = append(b.rows, int32(i))
		}
	}
	return b
}

// nestedInput makes an input of the columns and tags of rows. A tag that a
// series lacks is "", and not missing as it is in the rows of a measurement.
func nestedInput(in *plan.Source, r *Rows) vector {
	switch {
	case len(in.Fields) == 0 && !in.IsTag:
		return vector{}
	case len(in.Fields) == 0:
		return constantText(r.Tags.Get(in.Tag))
	}
	v := vector{Column: r.Values[in.Fields[0]]}
	switch {
	case v.Type == in.Type && in.IsTag:
		v.Present = nil
	case v.Type == in.Type:
	case v.Type == model.String || v.Type == model.Boolean || in.Type == model.String || in.Type == model.Boolean:
		return vector{} // a column that never has a value
	}
	return v.as(in.Type)
}

// heldGroups keeps the partials of a fragment that counts groups, until it is
// known which groups there are. Those that have no rows are none here.
type heldGroups struct {
	limit      int
	descending bool
	groups     [][]string
	partials   []*Partial
	account    memory.Account
}

func (h *heldGroups) add(p *Partial) error {
	if n := len(h.groups); n == 0 || !slices.Equal(h.groups[n-1], p.Group) {
		if n == h.limit && !h.descending {
			return errEnough
		}
		h.groups = append(h.groups, p.Group)
		if n == h.limit {
			h.dropFirst()
		}
	}
	h.partials = append(h.partials, p)
	return h.account.Add(partialBytes(p))
}

// dropFirst forgets the group that came first: in descending order that is the
// last one of all.
func (h *heldGroups) dropFirst() {
	i := 0
	for ; i < len(h.partials) && slices.Equal(h.partials[i].Group, h.groups[0]); i++ {
		_ = h.account.Add(-partialBytes(h.partials[i])) // giving back does not fail
	}
	h.partials, h.groups = h.partials[i:], h.groups[1:]
}

func (h *heldGroups) emit(emit func(*Partial) error) error {
	p := &Partial{Groups: slices.Clone(h.groups)}
	if h.descending {
		slices.Reverse(p.Groups)
	}
	if err := emit(p); err != nil {
		return err
	}
	for _, p := range h.partials {
		if err := emit(p); err != nil {
			return err
		}
	}
	return nil
}

// partialBytes is about what a partial takes.
func partialBytes(p *Partial) int {
	n := 8 * len(p.Times)
	for i := range p.Columns {
		c := &p.Columns[i]
		n += 8*len(c.Bits) + 4*len(c.Ends) + len(c.Text)
	}
	return n
}
