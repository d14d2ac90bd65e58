package httpapi

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func newTurns() *turns {
	return &turns{free: 2, most: 3, patience: 10 * time.Second, late: 2 * time.Second}
}

func TestTurnsComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		for range 2 {
			if err := turns.take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := turns.refuses(time.Now()); err != nil {
			t.Errorf("nobody waits yet: %v", err)
		}
		var order []int
		for i := range 3 {
			go func() {
				if err := turns.take(t.Context()); err == nil {
					order = append(order, i)
					turns.give()
				}
			}()
			synctest.Wait()
		}
		if err := errors.Join(turns.refuses(time.Now()), turns.take(t.Context())); !errors.Is(err, errQueueFull) {
			t.Errorf("with a full queue: %v", err)
		}
		turns.give()
		synctest.Wait()
		if !slices.Equal(order, []int{0, 1, 2}) || turns.free != 1 {
			t.Errorf("they went on in the order %v, %d turns are free", order, turns.free)
		}
	})
}

func TestTurnsEndTheWaitOfWhoWaitsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		turns.free = 0
		results := make(chan error, 2)
		go func() { results <- turns.take(t.Context()) }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { results <- turns.take(ctx) }()
		if err := turns.refuses(time.Now()); err != nil {
			t.Errorf("while the first waits shortly: %v", err)
		}
		time.Sleep(3 * time.Second)
		if err := turns.refuses(time.Now()); !errors.Is(err, errQueueFull) {
			t.Errorf("while the first waits long: %v", err)
		}
		cancel()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("whose client has gone: %v", err)
		}
		if err := <-results; !errors.Is(err, errWaitedLong) {
			t.Errorf("who waits too long: %v", err)
		}
		turns.give()
		if turns.free != 1 || turns.waiting.Len() != 0 {
			t.Errorf("%d turns are free, %d wait", turns.free, turns.waiting.Len())
		}
	})
}
