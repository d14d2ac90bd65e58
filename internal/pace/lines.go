package pace

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Lines writes to a log what others can cause as often as they like: so many
// lines in a period. Those left out are counted, and the next line says how many
// they were. It is safe for concurrent use.
type Lines struct {
	log   *slog.Logger
	most  int
	every time.Duration

	mu      sync.Mutex // protects all below
	since   time.Time  // when the period began
	lines   int        // in it
	skipped int        // since the last line
}

// NewLines gives Lines that writes at most so many lines in each period.
func NewLines(log *slog.Logger, most int, every time.Duration) *Lines {
	return &Lines{log: log, most: most, every: every}
}

// Warn writes a line of level warn, or counts it.
func (l *Lines) Warn(message string, attributes ...any) {
	l.Log(slog.LevelWarn, message, attributes...)
}

// Log writes a line, or counts it.
func (l *Lines) Log(level slog.Level, message string, attributes ...any) {
	skipped, ok := l.take(time.Now())
	if !ok {
		return
	}
	if skipped > 0 {
		attributes = append(attributes[:len(attributes):len(attributes)], "not-logged-before", skipped)
	}
	l.log.Log(context.Background(), level, message, attributes...)
}

// take reports whether there is a line left, and how many were left out before it.
func (l *Lines) take(now time.Time) (skipped int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= l.every {
		l.since, l.lines = now, 0
	}
	if l.lines >= l.most {
		l.skipped++
		return 0, false
	}
	l.lines++
	skipped = l.skipped
	l.skipped = 0
	return skipped, true
}
