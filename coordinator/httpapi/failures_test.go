package httpapi

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestManyFailedRequestsMakeFewLines(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	var f failureLog
	now := time.Unix(1000, 0)
	for range 1000 {
		f.log(log, now, "request failed", "status", 503)
	}
	if n := strings.Count(out.String(), "\n"); n != failureLines {
		t.Errorf("1000 failures at once made %d lines, want %d", n, failureLines)
	}
	out.Reset()
	f.log(log, now.Add(failurePeriod), "request failed", "status", 503)
	if got := out.String(); !strings.Contains(got, "not-logged-before=990") {
		t.Errorf("the next line is %q, want the number of those left out", got)
	}
}
