package stage

import (
	"context"
	"errors"
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// rising gives n points, each better than those before, with a text beside it.
func rising(n int) *Points {
	p := NewPoints(model.Integer, model.String)
	for i := range n {
		p.Times = append(p.Times, int64(i))
		p.Value.AppendBits(uint64(i))
		p.Aux[0].AppendText([]byte("some text that takes memory"))
	}
	return &p
}

func TestStagesKeepNoMoreThanTheyNeed(t *testing.T) {
	window := &plan.Window{}
	for name, make := range map[string]func(held *Budget) Stage{
		"top": func(held *Budget) Stage {
			return newBest(t.Context(), window, false, &plan.Stage{Function: function.Top, Type: model.Integer, N: 3}, held)
		},
		"top by a tag": func(held *Budget) Stage {
			return newBest(t.Context(), window, false, &plan.Stage{Function: function.Top, Type: model.Integer, N: 3, Keys: []int{0}}, held)
		},
		"sample": func(held *Budget) Stage {
			return newSampleStage(t.Context(), window, false, &plan.Stage{Function: function.Sample, N: 3}, held)
		},
	} {
		_, limited := memory.Bounded(t.Context(), 64<<10)
		s := make(&Budget{Account: limited.Account()})
		out := NewPoints(model.Integer, model.String)
		in := rising(4096)
		for range 50 {
			if err := s.Add(in, &out); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if err := s.End(&out); err != nil || len(out.Times) == 0 || len(out.Times) > 3 {
			t.Errorf("%s gave %d points, %v", name, len(out.Times), err)
		}
	}
}

func TestStagesEndWithTheQuery(t *testing.T) {
	const n = 200_000
	ctx, cancel := context.WithCancel(t.Context())
	_, unlimited := memory.Bounded(ctx, 0)
	held := &Budget{Account: unlimited.Account()}
	window := &plan.Window{}
	stages := map[string]Stage{
		"top":          newBest(ctx, window, false, &plan.Stage{Function: function.Top, Type: model.Integer, N: n}, held),
		"top by a tag": newBest(ctx, window, false, &plan.Stage{Function: function.Top, Type: model.Integer, N: n, Keys: []int{0}}, held),
		"sample":       newSampleStage(ctx, window, false, &plan.Stage{Function: function.Sample, N: n}, held),
		"percentile":   newPercentileStage(ctx, window, &plan.Stage{Function: function.Percentile, Argument: 50}, held),
	}
	out := NewPoints(model.Integer, model.String)
	for name, s := range stages {
		if err := s.Add(rising(n), &out); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	cancel()
	for name, s := range stages {
		if err := s.End(&out); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want a cancelled context", name, err)
		}
	}
}

func TestPercentileOfTooManyPointsIsRefused(t *testing.T) {
	_, limited := memory.Bounded(t.Context(), 64<<10)
	s := newPercentileStage(t.Context(), &plan.Window{}, &plan.Stage{Function: function.Percentile, Argument: 50}, &Budget{Account: limited.Account()})
	out := NewPoints(model.Integer, model.String)
	if err := s.Add(rising(4096), &out); err == nil {
		t.Error("no error")
	}
}
