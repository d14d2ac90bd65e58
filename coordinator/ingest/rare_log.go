package ingest

import (
	"log/slog"
	"sync"
	"time"
)

// rareLog logs one line a second and counts the others: whoever reaches a
// listener can send it nonsense as fast as the network goes.
type rareLog struct {
	log *slog.Logger

	mu      sync.Mutex // protects what is below
	last    time.Time
	skipped int
}

func (r *rareLog) warn(message string, attributes ...any) {
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
	r.log.Warn(message, append(attributes, "not-logged-before", skipped)...)
}

// maxLogged bounds what a line of the log shows of what was received.
const maxLogged = 200

// shown cuts what was received for the log.
func shown(s string) string {
	if len(s) > maxLogged {
		return s[:maxLogged] + "…"
	}
	return s
}
