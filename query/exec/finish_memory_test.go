package exec

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// limitedGrouper merges what shards answer to scan, within so many bytes.
func limitedGrouper(t *testing.T, bytes int64, scan plan.Scan, w plan.Window) *grouper {
	t.Helper()
	ctx, budget := memory.Bounded(t.Context(), bytes)
	b := &plan.Bound{Scans: []plan.Scan{scan}, Window: w, GroupLimit: 10, GroupBy: []string{"h"}}
	return &grouper{finisher: &finisher{ctx: ctx, b: b, budget: budget}}
}

func integers(n int) model.Column {
	c := model.Column{Field: model.Field{Type: model.Integer}}
	for i := range n {
		c.AppendBits(uint64(i) + 1)
	}
	return c
}

func TestSparseWindowsAreCountedAsTheyCome(t *testing.T) {
	const n = 200_000 // each in a page of its own
	g := limitedGrouper(t, 8<<20, plan.Scan{Aggregates: []plan.BoundAggregate{{Function: function.Count, Type: model.Integer}}}, plan.Window{Every: 1})
	p := &Partial{Columns: []model.Column{integers(n)}}
	for i := range int64(n) {
		p.Times = append(p.Times, i*1_000_000)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := g.merge(g.newMerged(&g.b.Scans[0]), p)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, model.ErrTooLarge) || took > 32<<20 {
		t.Errorf("%v after %d bytes", err, took)
	}
}

func TestValuesThatAreSortedCount(t *testing.T) {
	const n = 10_000
	col := integers(n)
	for _, limit := range []int64{100 << 10, 1 << 20} {
		g := limitedGrouper(t, limit, plan.Scan{Aggregates: []plan.BoundAggregate{{Function: function.Median, Type: model.Integer}}}, plan.Window{})
		m := g.newMerged(&g.b.Scans[0])
		m.cells[0].grow()
		m.cells[0].collect(0, make([]int64, n), &col, 0, n)
		if err := g.settle(m); errors.Is(err, model.ErrTooLarge) != (limit < n*collectedBytes) {
			t.Errorf("with %d bytes: %v", limit, err)
		}
	}
}

func TestGroupsOfManyShardsAreCutAsTheyCome(t *testing.T) {
	g := limitedGrouper(t, 10_000, plan.Scan{}, plan.Window{})
	held := g.budget.Account()
	nothing := func(context.Context, func(*Partial) error) error { return nil }
	var heads []*head
	for shard := range 100 {
		p := &Partial{}
		for i := range 10 {
			p.Groups = append(p.Groups, []string{strconv.Itoa(100 + shard + i)})
		}
		heads = append(heads, &head{stream: Pipe(model.AllTime, nothing), part: p})
	}
	allowed, err := g.allowedGroups(heads, &held)
	if err != nil || len(allowed) != 10 || allowed[9][0] != "109" || held.Held() == 0 {
		t.Errorf("%v, %v, %d bytes", allowed, err, held.Held())
	}
}
