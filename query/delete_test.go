package query

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestADeleteThatCannotBeCheckedFailsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultConfig())
		b.storage.schema = func(ctx context.Context) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		start := time.Now()
		got := b.run(t, Request{Text: `DELETE FROM m WHERE h = 'x'`, Database: "db"})
		if !strings.Contains(got, errFieldsUnknown.Text) || time.Since(start) > 5*time.Second {
			t.Errorf("%s after %v", got, time.Since(start))
		}
		if len(b.storage.deletes) > 0 {
			t.Errorf("deleted %v", b.storage.deletes)
		}
	})
}
