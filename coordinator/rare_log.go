package coordinator

import (
	"log/slog"
	"sync"
	"time"
)

// rareLog logs one message a second and counts the others: a node that fails
// would otherwise fill the log with one line for each batch.
type rareLog struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

func (r *rareLog) log(l *slog.Logger, message string, attributes ...any) {
	now := time.Now()
	r.mu.Lock()
	if now.Sub(r.last) < time.Second {
		r.skipped++
		r.mu.Unlock()
		return
	}
	skipped := r.skipped
	r.last, r.skipped = now, 0
	r.mu.Unlock()
	l.Warn(message, append(attributes, "skipped", skipped)...)
}
