package coordinator

import "sync"

// tasks is goroutines that are waited for. Unlike with a WaitGroup one may be
// started while they are waited for: it is refused then.
type tasks struct {
	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{} // closed by the last one after wait has begun
}

// start runs f in a goroutine and reports whether it does.
func (t *tasks) start(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.n++
	go func() {
		defer t.end()
		f()
	}()
	return true
}

func (t *tasks) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n--
	if t.n == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

// wait lets nothing start any more and returns when nothing runs.
func (t *tasks) wait() {
	t.mu.Lock()
	t.closed = true
	if t.n > 0 && t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.mu.Unlock()
	if idle != nil {
		<-idle
	}
}
