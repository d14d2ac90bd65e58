package query

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestEveryStatementIsLoggedWithoutItsSecrets(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Log = true
	b := newBench(t, cfg)
	b.run(t, Request{Text: "SHOW DATABASES; CREATE USER u WITH PASSWORD 'canary'", Database: "db", ID: "req-1"})
	log := b.logged.String()
	if strings.Count(log, "msg=query") != 2 || !strings.Contains(log, `query="SHOW DATABASES"`) || !strings.Contains(log, "request=req-1") {
		t.Errorf("the log is %s", log)
	}
	for _, figure := range []string{"took=", "series=", "blocks=", "bytes=", "points=", "rows=", "memory=", "scan_time="} {
		if !strings.Contains(log, figure) {
			t.Errorf("no %s in %s", figure, log)
		}
	}
	if strings.Contains(log, "canary") {
		t.Errorf("a password is in the log: %s", log)
	}
}

func TestTheQueryLogIsBounded(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	var lines logLines
	for range 5 * logLinesASecond {
		lines.log(log, slog.LevelInfo, "query")
	}
	if n := strings.Count(out.String(), "msg=query"); n < logLinesASecond || n > 2*logLinesASecond {
		t.Errorf("%d lines in a moment", n)
	}
	lines.second = time.Now().Unix() - 1
	lines.log(log, slog.LevelInfo, "last")
	if !strings.Contains(out.String(), "msg=last skipped=") {
		t.Error("what was left out is not told")
	}
	if got := loggable(strings.Repeat("x", 2*maxLogged)); len(got) > maxLogged+3 {
		t.Errorf("%d bytes of a statement", len(got))
	}
}
