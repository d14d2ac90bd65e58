package coordinator

import "sync"

// tasks is goroutines that are waited for. Unlike with a WaitGroup one may be
// started while they are waited for: it is refused then.
//
// A goroutine that has ended its task waits for another one: a task goes deep
// into the storage engine, and growing the stack of a new goroutine by copying
// it costs more than the write of one row.
type tasks struct {
	mu     sync.Mutex
	n      int // running or spare
	closed bool
	spare  []chan func() // of goroutines without a task
	idle   chan struct{} // closed by the last one after wait has begun
}

// maxSpareTasks bounds the goroutines that wait for a task.
const maxSpareTasks = 256

// start runs f in a goroutine and reports whether it does.
func (t *tasks) start(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	if last := len(t.spare) - 1; last >= 0 {
		t.spare[last] <- f // there is room for it
		t.spare[last] = nil
		t.spare = t.spare[:last]
		return true
	}
	t.n++
	go func() {
		next := make(chan func(), 1)
		for {
			f()
			if !t.rest(next) {
				return
			}
			var ok bool
			if f, ok = <-next; !ok {
				return
			}
		}
	}()
	return true
}

// rest makes the goroutine that is given tasks through next a spare one, unless
// there are enough.
func (t *tasks) rest(next chan func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed && len(t.spare) < maxSpareTasks {
		t.spare = append(t.spare, next)
		return true
	}
	t.n--
	if t.n == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
	return false
}

// wait lets nothing start any more and returns when nothing runs.
func (t *tasks) wait() {
	t.mu.Lock()
	t.closed = true
	t.n -= len(t.spare)
	for _, next := range t.spare {
		close(next)
	}
	t.spare = nil
	if t.n > 0 && t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.mu.Unlock()
	if idle != nil {
		<-idle
	}
}
