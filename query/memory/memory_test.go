package memory_test

import (
	"errors"
	"math"
	"sync"
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/memory"
)

func TestBudgetRefusesMoreThanItsLimit(t *testing.T) {
	b := memory.NewPool(0, nil).Budget(1000)
	defer b.Close()
	a := b.Account()
	if err := a.Set(1000); err != nil {
		t.Fatal(err)
	}
	err := a.Set(1001)
	if !errors.Is(err, model.ErrTooLarge) || err.Error() != "max-select-memory limit exceeded: (1001/1000)" {
		t.Errorf("1001 of 1000 bytes: %v", err)
	}
	if a.Held() != 1000 {
		t.Errorf("%d bytes held after a refusal, not 1000", a.Held())
	}
	a.Close()
	if err := b.Take(1000); err != nil {
		t.Errorf("after an account was closed: %v", err)
	}
}

func TestPoolRefusesTheQueryThatIsOneTooMany(t *testing.T) {
	p := memory.NewPool(10<<20, nil)
	first, second := p.Budget(0), p.Budget(0)
	if err := first.Take(8 << 20); err != nil {
		t.Fatal(err)
	}
	if err := second.Take(4 << 20); !errors.Is(err, model.ErrOverloaded) {
		t.Fatalf("12 of 10 MB: %v", err)
	}
	if err := second.Take(2 << 20); err != nil {
		t.Errorf("what was left: %v", err)
	}
	first.Close()
	if err := second.Take(8 << 20); err != nil {
		t.Errorf("after the other query ended: %v", err)
	}
	second.Close()
	if p.Used() != 0 {
		t.Errorf("%d bytes are granted though no query runs", p.Used())
	}
}

func TestBudgetGivesBackWhatItNoLongerHolds(t *testing.T) {
	p := memory.NewPool(0, nil)
	b := p.Budget(0)
	defer b.Close()
	if err := b.Take(100 << 20); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		b.Give(1 << 20)
	}
	if p.Used() > 10<<20 {
		t.Errorf("%d bytes are granted to a query that holds none", p.Used())
	}
}

func TestBudgetIsExactUnderConcurrentUse(t *testing.T) {
	p := memory.NewPool(64<<20, nil)
	b := p.Budget(0)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			a := b.Account()
			defer a.Close()
			for i := range 2000 {
				if err := a.Set(i % 7 << 20); err != nil && !errors.Is(err, model.ErrOverloaded) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if b.Used() != 0 {
		t.Errorf("%d bytes are held by nobody", b.Used())
	}
	b.Close()
	if p.Used() != 0 {
		t.Errorf("%d bytes are granted to nobody", p.Used())
	}
}

func TestNothingIsBoundWithoutABudget(t *testing.T) {
	a := memory.FromContext(t.Context()).Account()
	if err := a.Set(math.MaxInt); err != nil {
		t.Error(err)
	}
	if ctx, b := memory.Bounded(t.Context(), 10); b.Take(11) == nil || memory.FromContext(ctx) != b {
		t.Error("a context without a budget was not given one")
	}
}
