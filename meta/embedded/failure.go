package embedded

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"go.uber.org/zap/zapcore"
)

// failure is that etcd gave up. Where it would end the process, because its disk
// is full or damaged, its goroutine ends instead: the shards of this node have
// nothing to do with it, and there are other members.
type failure struct {
	once sync.Once
	done chan struct{} // closed once why is there
	why  error
}

func (f *failure) set(why error) {
	f.once.Do(func() {
		f.why = why
		close(f.done)
	})
}

// err says why etcd gave up, or gives nil.
func (f *failure) err() error {
	select {
	case <-f.done:
		return f.why
	default:
		return nil
	}
}

// OnWrite implements zapcore.CheckWriteHook, for the lines after which zap ends
// the process.
func (f *failure) OnWrite(line *zapcore.CheckedEntry, fields []zapcore.Field) {
	why := errors.New(line.Message)
	for _, field := range fields {
		if cause, ok := field.Interface.(error); ok && field.Type == zapcore.ErrorType {
			why = fmt.Errorf("%s: %w", line.Message, cause)
		}
	}
	f.set(why)
	runtime.Goexit()
}
