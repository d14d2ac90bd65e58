package exec

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/memory"
)

// Stream is the partials of one fragment from one shard. Pipe makes one of
// RunFragment, and a client of another node one of messages.
type Stream interface {
	// Range gives the times that the shard can hold. Finish reads shards that
	// cannot matter yet later, or not at all.
	Range() model.TimeRange
	// Next gives the next partial, which belongs to the caller; io.EOF at the
	// end. Nothing runs before the first call.
	Next(ctx context.Context) (*Partial, error)
	// Close ends the stream early and waits for what it started.
	Close() error
}

// Pipe makes a Stream of a function that emits partials, such as a call of
// RunFragment or of data.Peer's Scan. run gets a context that ends when the
// stream is closed and works at most pipeDepth partials ahead.
func Pipe(r model.TimeRange, run func(ctx context.Context, emit func(*Partial) error) error) Stream {
	return &pipe{times: r, run: run}
}

// PanicError is the error of a stream whose function panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("run fragment: panic: %v", e.Value) }

// pipeDepth lets shards work while their results wait to be merged.
const pipeDepth = 2

type pipe struct {
	times model.TimeRange
	run   func(ctx context.Context, emit func(*Partial) error) error

	partials chan *Partial // closed by the goroutine of start, after err is set
	err      error
	cancel   context.CancelFunc
	done     sync.WaitGroup
	closed   bool

	// What is on its way counts from when it is emitted until the receiver asks
	// for the next one.
	budget *memory.Budget
	held   atomic.Int64 // of all of them
	taken  int64        // of the one that the receiver has
}

func (p *pipe) Range() model.TimeRange { return p.times }

func (p *pipe) start(ctx context.Context) {
	p.budget = memory.FromContext(ctx)
	ctx, p.cancel = context.WithCancel(ctx)
	p.partials = make(chan *Partial, pipeDepth)
	p.done.Go(func() {
		defer close(p.partials)
		defer func() {
			// A query must not end the process.
			if v := recover(); v != nil {
				p.err = &PanicError{Value: v, Stack: debug.Stack()}
			}
		}()
		p.err = p.run(ctx, func(part *Partial) error {
			bytes := part.MemoryBytes()
			if err := p.budget.Take(bytes); err != nil {
				return err
			}
			p.held.Add(bytes)
			select {
			case p.partials <- part:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
}

func (p *pipe) Next(ctx context.Context) (*Partial, error) {
	switch {
	case p.closed:
		return nil, model.ErrClosed
	case p.partials == nil:
		p.start(ctx)
	}
	p.release(p.taken)
	p.taken = 0
	select {
	case part, ok := <-p.partials:
		switch {
		case ok:
			p.taken = part.MemoryBytes()
			return part, nil
		case p.err != nil:
			return nil, p.err
		}
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipe) Close() error {
	if p.partials != nil && !p.closed {
		p.cancel()
		p.done.Wait()
		p.release(p.held.Load())
	}
	p.closed = true
	return nil
}

func (p *pipe) release(bytes int64) {
	p.held.Add(-bytes)
	p.budget.Give(bytes)
}
