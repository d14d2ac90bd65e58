package pace

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestManyLinesBecomeFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		l := NewLines(slog.New(slog.NewTextHandler(&out, nil)), 10, time.Second)
		for range 1000 {
			l.Warn("request failed", "status", 503)
		}
		if n := strings.Count(out.String(), "msg=\"request failed\" status=503\n"); n != 10 {
			t.Errorf("1000 lines at once became %d, want 10:\n%s", n, out.String())
		}
		time.Sleep(time.Second)
		l.Warn("next")
		if !strings.Contains(out.String(), "msg=next not-logged-before=990\n") {
			t.Errorf("the next line does not say how many were left out:\n%s", out.String())
		}
	})
}
