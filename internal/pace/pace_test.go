package pace

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestBytesPassAtThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(1000)
		start := time.Now()
		for range 11 {
			if err := p.Spend(t.Context(), 500); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("5500 bytes took %v, want 5 s: the last piece delays only what follows", took)
		}
	})
}

func TestNoBoundNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, start := New(0), time.Now()
		for range 10 {
			if err := p.Spend(t.Context(), 1<<40); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := New(1)
	if err := p.Spend(ctx, 1<<40); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := p.Spend(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Spend: %v, want canceled", err)
	}
}

func TestSleepEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("enough"))
		defer cancel()
		if err := Sleep(ctx, time.Millisecond); err != nil {
			t.Errorf("Sleep: %v", err)
		}
		start := time.Now()
		if err := Sleep(ctx, time.Hour); err == nil || err.Error() != "enough" || time.Since(start) > time.Second {
			t.Errorf("Sleep: %v after %v", err, time.Since(start))
		}
	})
}
