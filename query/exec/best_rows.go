package exec

import (
	"slices"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec/stage"
	"github.com/varvedb/varve/query/plan"
)

// bestRows runs a fragment of raw rows of which only the best are wanted.
func (r *runner) bestRows() error {
	b := &bestRows{runner: r, emit: r.emit, held: stage.Budget{Account: r.budget.Account()}}
	defer b.held.Account.Close()
	r.emit = b.take
	if err := r.rows(); err != nil {
		return err
	}
	return b.leave()
}

// bestRows stands between the rows of a shard and who wants them.
type bestRows struct {
	*runner
	emit  func(*Partial) error
	held  stage.Budget
	group []string
	stage stage.Stage // of the group; nil before the first
}

// take takes in rows and hands out those of windows that are over.
func (b *bestRows) take(p *Partial) error {
	if p.Groups != nil {
		return b.emit(p)
	}
	if b.stage == nil || !slices.Equal(b.group, p.Group) {
		if err := b.leave(); err != nil {
			return err
		}
		best := b.f.Best
		t := b.f.Inputs[b.f.Columns[best.Column]].Type
		b.group = p.Group
		b.stage = stage.NewBest(b.ctx, &b.f.Window, b.f.Descending, &plan.Stage{Function: best.Function, Type: t, N: best.N, Keys: best.Keys}, &b.held)
	}
	out := b.points()
	if err := b.stage.Add(b.fromColumns(p.Times, p.Columns), out); err != nil {
		return err
	}
	return b.hand(out)
}

// leave hands out the last window of the group.
func (b *bestRows) leave() error {
	if b.stage == nil {
		return nil
	}
	out := b.points()
	if err := b.stage.End(out); err != nil {
		return err
	}
	return b.hand(out)
}

// points gives no points yet.
func (b *bestRows) points() *stage.Points {
	columns := make([]model.Column, len(b.f.Columns))
	for i, c := range b.f.Columns {
		columns[i].Type = b.f.Inputs[c].Type
	}
	return b.fromColumns(nil, columns)
}

// fromColumns gives rows of the fragment as points, with the other columns
// beside the value.
func (b *bestRows) fromColumns(times []int64, columns []model.Column) *stage.Points {
	at := b.f.Best.Column
	return &stage.Points{Times: times, Value: columns[at], Aux: slices.Delete(slices.Clone(columns), at, at+1)}
}

// hand emits points as rows of the fragment, some at a time.
func (b *bestRows) hand(p *stage.Points) error {
	columns := slices.Insert(p.Aux, b.f.Best.Column, p.Value)
	for lo := 0; lo < len(p.Times); lo += chunkRows {
		hi := min(lo+chunkRows, len(p.Times))
		part := &Partial{Group: b.group, Times: p.Times[lo:hi:hi], Columns: make([]model.Column, len(columns))}
		for i := range columns {
			part.Columns[i] = cut(&columns[i], lo, hi)
		}
		if err := b.emit(part); err != nil {
			return err
		}
	}
	return b.ctx.Err()
}
