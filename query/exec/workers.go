package exec

import (
	"errors"
	"runtime/debug"
	"sync"
)

// Workers are goroutines that fragments may use beside the one that each runs
// in: so many at a time among all fragments that share them. Nil are none. They
// are safe for concurrent use.
type Workers struct{ free chan struct{} }

// NewWorkers gives n workers.
func NewWorkers(n int) *Workers {
	w := &Workers{free: make(chan struct{}, n)}
	for range n {
		w.free <- struct{}{}
	}
	return w
}

// take gives up to n workers that have nothing to do, none where n is negative; it
// does not wait for any.
func (w *Workers) take(n int) int {
	if w == nil || n <= 0 {
		return 0
	}
	for i := range n {
		select {
		case <-w.free:
		default:
			return i
		}
	}
	return n
}

func (w *Workers) give(n int) {
	for range n {
		w.free <- struct{}{}
	}
}

// together runs f in the caller's goroutine and in extra ones, and waits for
// all. A panic in one of those becomes the error of the call; errStopped is the
// error only where there is no other.
func together(extra int, f func(worker int) error) error {
	var (
		all  sync.WaitGroup
		errs = make([]error, 1+extra)
	)
	for i := 1; i <= extra; i++ {
		all.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					errs[i] = &PanicError{Value: v, Stack: debug.Stack()}
				}
			}()
			errs[i] = f(i)
		})
	}
	func() {
		defer all.Wait() // also when f panics
		errs[0] = f(0)
	}()
	var first error
	for _, err := range errs {
		if first == nil || errors.Is(first, errStopped) && err != nil {
			first = err
		}
	}
	return first
}
