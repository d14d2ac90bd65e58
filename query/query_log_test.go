package query

import (
	"strings"
	"testing"
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

func TestALoggedStatementHasABoundedLength(t *testing.T) {
	if got := loggable(strings.Repeat("x", 2*maxLogged)); len(got) > maxLogged+3 {
		t.Errorf("%d bytes of a statement", len(got))
	}
}
