package exec

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
func rising(n int) *points {
	p := newPoints(model.Integer, model.String)
	for i := range n {
		p.times = append(p.times, int64(i))
		p.value.AppendBits(uint64(i))
		p.aux[0].AppendText([]byte("some text that takes memory"))
	}
	return &p
}

func TestStagesKeepNoMoreThanTheyNeed(t *testing.T) {
	window := &plan.Window{}
	for name, make := range map[string]func(held *budget) stage{
		"top": func(held *budget) stage {
			return newBestStage(t.Context(), window, false, &plan.Stage{Function: function.Top, Type: model.Integer, N: 3}, held)
		},
		"top by a tag": func(held *budget) stage {
			return newBestStage(t.Context(), window, false, &plan.Stage{Function: function.Top, Type: model.Integer, N: 3, Keys: []int{0}}, held)
		},
		"sample": func(held *budget) stage {
			return newSampleStage(t.Context(), window, false, &plan.Stage{Function: function.Sample, N: 3}, held)
		},
	} {
		_, limited := memory.Bounded(t.Context(), 64<<10)
		s := make(&budget{account: limited.Account()})
		out := newPoints(model.Integer, model.String)
		in := rising(4096)
		for range 50 {
			if err := s.add(in, &out); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if err := s.end(&out); err != nil || len(out.times) == 0 || len(out.times) > 3 {
			t.Errorf("%s gave %d points, %v", name, len(out.times), err)
		}
	}
}

func TestStagesEndWithTheQuery(t *testing.T) {
	const n = 200_000
	ctx, cancel := context.WithCancel(t.Context())
	_, unlimited := memory.Bounded(ctx, 0)
	held := &budget{account: unlimited.Account()}
	window := &plan.Window{}
	stages := map[string]stage{
		"top":          newBestStage(ctx, window, false, &plan.Stage{Function: function.Top, Type: model.Integer, N: n}, held),
		"top by a tag": newBestStage(ctx, window, false, &plan.Stage{Function: function.Top, Type: model.Integer, N: n, Keys: []int{0}}, held),
		"sample":       newSampleStage(ctx, window, false, &plan.Stage{Function: function.Sample, N: n}, held),
		"percentile":   newPercentileStage(ctx, window, &plan.Stage{Function: function.Percentile, Argument: 50}, held),
	}
	out := newPoints(model.Integer, model.String)
	for name, s := range stages {
		if err := s.add(rising(n), &out); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	cancel()
	for name, s := range stages {
		if err := s.end(&out); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want a cancelled context", name, err)
		}
	}
}

func TestPercentileOfTooManyPointsIsRefused(t *testing.T) {
	_, limited := memory.Bounded(t.Context(), 64<<10)
	s := newPercentileStage(t.Context(), &plan.Window{}, &plan.Stage{Function: function.Percentile, Argument: 50}, &budget{account: limited.Account()})
	out := newPoints(model.Integer, model.String)
	if err := s.add(rising(4096), &out); err == nil {
		t.Error("no error")
	}
}
