package embedded

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
)

func TestWhatWouldEndTheProcessEndsItsGoroutine(t *testing.T) {
	cause := errors.New("no space left on device")
	for what, call := range map[string]func(*zap.Logger){
		"fatal": func(l *zap.Logger) { l.Fatal("cannot write", zap.Error(cause)) },
		"panic": func(l *zap.Logger) { l.Panic("cannot write", zap.Error(cause)) },
	} {
		f := failure{done: make(chan struct{})}
		log := newLogger(slog.New(slog.DiscardHandler), &atomic.Bool{}, &f)
		returned := false
		var ended sync.WaitGroup
		ended.Go(func() {
			call(log)
			returned = true
		})
		ended.Wait()
		if returned {
			t.Errorf("%s: etcd went on after it", what)
		}
		if err := f.err(); !errors.Is(err, cause) {
			t.Errorf("%s: the reason is %v, want %v", what, err, cause)
		}
	}
}
