package pace

import (
	"context"
	"time"
)

// Sleep waits for d. Where ctx ends before, it returns then, with ctx's cause.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
