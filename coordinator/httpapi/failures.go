package httpapi

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// failureLines is how many requests that failed are logged in failurePeriod;
	// the others are counted. A full disk or a full queue fails thousands in a
	// second, all for one reason.
	failureLines  = 10
	failurePeriod = 10 * time.Second
)

// failureLog logs requests that failed, some of them.
type failureLog struct {
	mu      sync.Mutex
	since   time.Time // when the period began
	lines   int       // in it
	skipped int       // since the last line
}

// log writes a line, or counts it for the next one that is written.
func (f *failureLog) log(log *slog.Logger, now time.Time, message string, args ...any) {
	f.mu.Lock()
	if now.Sub(f.since) >= failurePeriod {
		f.since, f.lines = now, 0
	}
	if f.lines >= failureLines {
		f.skipped++
		f.mu.Unlock()
		return
	}
	f.lines++
	if f.skipped > 0 {
		args = append(args, "not-logged-before", f.skipped)
		f.skipped = 0
	}
	f.mu.Unlock()
	log.Warn(message, args...)
}
