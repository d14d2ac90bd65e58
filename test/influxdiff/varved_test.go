package main

import (
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

// TestVarvedAnswersAsInfluxDB sends every case to a varved of its own and
// compares with what InfluxDB 1.8.10 was recorded to answer. What differs and
// is explained in allow.txt is printed and does not fail.
func TestVarvedAnswersAsInfluxDB(t *testing.T) {
	server, err := harness.Start(harness.Build(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	code := run(config{
		b:       server.URL,
		golden:  "golden/golden-1.8.10.gz",
		allow:   "allow.txt",
		gen:     600,
		seed:    1,
		tol:     1e-9,
		timeout: 30 * time.Second,
		maxShow: 3,
	})
	if code != 0 {
		t.Errorf("influxdiff ended with %d: see the differences above; the server said:\n%s", code, server.Log())
	}
}
