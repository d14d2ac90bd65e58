package exec

import (
	"errors"
	"sync"
)

// turns lets several workers do tasks, whose partials go out in the order of
// the tasks. A worker that is ahead of its turn keeps what it makes, within
// bounds, and then waits for its turn.
type turns struct {
	tasks int
	emit  func(*Partial) error

	mu      sync.Mutex
	changed sync.Cond
	next    int // the task that is begun next
	turn    int // the task whose partials may go out
	done    map[int][]*Partial
	held    int64 // bytes that are kept
	err     error // of any worker: all stop
}

const (
	// aheadBytes bounds what is kept of tasks whose turn has not come, and
	// aheadTasks how many those are.
	aheadBytes = 8 << 20
	aheadTasks = 64
)

// errStopped ends the work of the others after an error.
var errStopped = errors.New("another worker failed")

func newTurns(tasks int, emit func(*Partial) error) *turns {
	s := &turns{tasks: tasks, emit: emit, done: map[int][]*Partial{}}
	s.changed.L = &s.mu
	return s
}

// work does tasks until there are no more. run does one; what it gives out goes
// through the function that it is handed.
func (s *turns) work(run func(task int, emit func(*Partial) error) error) error {
	err := errStopped // stays where run panics
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err == nil {
			s.err = err
		}
		s.changed.Broadcast()
	}()
	err = func() error {
		for {
			task, err := s.begin()
			if err != nil || task < 0 {
				return err
			}
			var kept []*Partial
			if err := run(task, func(p *Partial) error { return s.give(task, &kept, p) }); err != nil {
				return err
			}
			if err := s.end(task, kept); err != nil {
				return err
			}
		}
	}()
	return err
}

// begin gives a task, or -1 when all were begun.
func (s *turns) begin() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.err == nil && s.next < s.tasks && s.next-s.turn >= aheadTasks {
		s.changed.Wait()
	}
	if s.err != nil || s.next == s.tasks {
		return -1, s.err
	}
	s.next++
	return s.next - 1, nil
}

// give keeps or hands out a partial of a task.
func (s *turns) give(task int, kept *[]*Partial, p *Partial) error {
	bytes := p.MemoryBytes()
	s.mu.Lock()
	for s.err == nil && s.turn != task && s.held+bytes > aheadBytes {
		s.changed.Wait()
	}
	if s.err != nil || s.turn != task {
		defer s.mu.Unlock()
		s.held += bytes
		*kept = append(*kept, p)
		return s.err
	}
	s.mu.Unlock()
	if err := s.out(kept); err != nil {
		return err
	}
	return s.emit(p)
}

// out hands out what was kept of the task whose turn it is.
func (s *turns) out(kept *[]*Partial) error {
	bytes := int64(0)
	for _, p := range *kept {
		bytes += p.MemoryBytes() // before it is another's
		if err := s.emit(p); err != nil {
			return err
		}
	}
	if bytes > 0 {
		s.mu.Lock()
		s.held -= bytes
		s.changed.Broadcast()
		s.mu.Unlock()
	}
	*kept = nil
	return nil
}

// end is called after a task. Where it was its turn, what others have kept
// meanwhile of the tasks that follow goes out.
func (s *turns) end(task int, kept []*Partial) error {
	s.mu.Lock()
	if s.turn != task {
		s.done[task] = kept
		s.mu.Unlock()
		return nil
	}
	for {
		s.mu.Unlock()
		if err := s.out(&kept); err != nil {
			return err
		}
		s.mu.Lock()
		s.turn++
		s.changed.Broadcast()
		var ok bool
		if kept, ok = s.done[s.turn]; !ok {
			s.mu.Unlock()
			return nil
		}
		delete(s.done, s.turn)
	}
}
