package embedded

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// bridge passes etcd's log lines to a slog.Logger.
type bridge struct {
	log     *slog.Logger
	fields  []zapcore.Field
	closing *atomic.Bool
	said    *said
}

// said is what was passed on lately. etcd says the same of every message that is
// late, and of every peer, many times a second.
type said struct {
	mu   sync.Mutex
	last map[string]time.Time // by message: there are a few hundred in etcd's source
}

// sayAgain is how long a message that is no error is not passed on again.
const sayAgain = time.Minute

// again reports whether a message was passed on lately, and notes it if not.
func (s *said) again(message string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if last, ok := s.last[message]; ok && now.Sub(last) < sayAgain {
		return true
	}
	if s.last == nil || len(s.last) >= maxSaid {
		s.last = make(map[string]time.Time)
	}
	s.last[message] = now
	return false
}

// maxSaid bounds what is remembered, should etcd put values into its messages.
const maxSaid = 1000

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
	return zap.New(&bridge{log: log, closing: closing, said: &said{}}, hooks...)
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
	return &bridge{log: b.log, fields: append(slices.Clip(b.fields), fields...), closing: b.closing, said: b.said}
}

// noNews is what etcd logs as a warning or an error at every start as it is
// configured here: it has no port to serve http on, its simple tokens are not
// used, and it looks at its storage version once before its first entry. Then
// what its client says of each try, where a Client makes the next; that it takes
// no new member yet, which Join waits for; and what it sees of a member that
// stops or comes back, or is at another address, which the nodes say of each
// other in one line.
var noNews = []string{
	"rejecting member add request; local member has not been connected to majority peers, reconfigure breaks active quorum",
	"rejecting member add request; not enough healthy members",
	"rejecting promote learner: learner is not ready",
	"closed TCP streaming connection with remote peer",
	"lost TCP streaming connection with remote peer",
	"peer became inactive (message send to peer failed)",
	"prober detected unhealthy status",
	"failed to reach the peer URL",
	"failed to get version",
	"failed to find remote peer in cluster",
	"ignored streaming request; ID mismatch",
	"ignored out-of-date read index response; local node read indexes queueing up and waiting to be in sync with leader",
	"rejected stream from remote peer because it was removed",
	"skipped attributes update of removed member",
	"stopped publish because server is stopping",
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
	if !b.Enabled(e.Level) || level(e.Level) == slog.LevelInfo && b.said.again(e.Message) {
		return ce
	}
	return ce.AddCore(e, b)
}

// stored is the fields of lines about requests that have what is stored in
// them: the hashes of passwords, the credentials of subscriptions.
var stored = []string{"request", "request content", "raftReq", "raft-request", "response"}

// Write implements zapcore.Core.
func (b *bridge) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	var attrs []slog.Attr
	for _, f := range append(slices.Clip(b.fields), fields...) {
		if !slices.Contains(stored, f.Key) {
			f.AddTo(enc)
		}
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
