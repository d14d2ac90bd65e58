package embedded

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// bridge passes etcd's log lines to a slog.Logger.
type bridge struct {
	log     *slog.Logger
	fields  []zapcore.Field
	closing *atomic.Bool
}

// newLogger gives a zap logger that writes to log. Once closing is set only
// what is worse than an error is passed on: a clean close logs errors.
//
// Lines after which zap would end the process go to failed instead, when it is
// not nil.
func newLogger(log *slog.Logger, closing *atomic.Bool, failed *failure) *zap.Logger {
	var hooks []zap.Option
	if failed != nil {
		hooks = append(hooks, zap.WithFatalHook(failed), zap.WithPanicHook(failed))
	}
	return zap.New(&bridge{log: log, closing: closing}, hooks...)
}

// level maps etcd's levels: what it says in normal operation is no news to an
// operator of this server.
func level(l zapcore.Level) slog.Level {
	switch {
	case l <= zapcore.InfoLevel:
		return slog.LevelDebug
	case l == zapcore.WarnLevel:
		return slog.LevelInfo
	}
	return slog.LevelError
}

// Enabled implements zapcore.Core.
func (b *bridge) Enabled(l zapcore.Level) bool {
	if b.closing.Load() && l <= zapcore.ErrorLevel {
		return false
	}
	return b.log.Enabled(context.Background(), level(l))
}

// With implements zapcore.Core.
func (b *bridge) With(fields []zapcore.Field) zapcore.Core {
	return &bridge{log: b.log, fields: append(slices.Clip(b.fields), fields...), closing: b.closing}
}

// noNews is what etcd logs as a warning or an error at every start as it is
// configured here: it has no port to serve http on, its simple tokens are not
// used, and it looks at its storage version once before its first entry. And
// what its client says of each try, where a Client makes the next.
var noNews = []string{
	"retrying of unary invoker failed",
	"Failed to detect schema version",
	"failed to update storage version",
	"Running http and grpc server on single port. This is not recommended for production.",
	"simple token is not cryptographically signed",
}

// Check implements zapcore.Core.
func (b *bridge) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if slices.Contains(noNews, e.Message) {
		e.Level = zapcore.DebugLevel
	}
	if b.Enabled(e.Level) {
		return ce.AddCore(e, b)
	}
	return ce
}

// Write implements zapcore.Core.
func (b *bridge) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	var attrs []slog.Attr
	for _, f := range append(slices.Clip(b.fields), fields...) {
		f.AddTo(enc)
	}
	for name, value := range enc.Fields {
		attrs = append(attrs, slog.Any(name, value))
	}
	slices.SortFunc(attrs, func(a, c slog.Attr) int {
		if a.Key < c.Key {
			return -1
		}
		return 1
	})
	b.log.LogAttrs(context.Background(), level(e.Level), "etcd: "+e.Message, attrs...)
	return nil
}

// Sync implements zapcore.Core.
func (b *bridge) Sync() error { return nil }
