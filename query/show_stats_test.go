package query

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/model"
)

func TestStatsShowModules(t *testing.T) {
	b := newBench(t, DefaultConfig())
	if got := b.run(t, Request{Text: "SHOW STATS"}); got != "#0\n" {
		t.Errorf("without a monitor: %s", got)
	}
	b.Observe(Monitor{Statistics: func(context.Context) ([]Statistic, error) {
		return []Statistic{
			{Name: "database", Tags: model.Tags{{Key: "database", Value: "d"}}, Values: map[string]int64{"numSeries": 3}},
			{Name: "write", Values: map[string]int64{"req": 2, "pointReq": 5}},
		}, nil
	}})
	for _, c := range []struct{ text, want string }{
		{"SHOW STATS", "#0 database(numSeries) 3 write(pointReq,req) 5 2\n"},
		{"SHOW STATS FOR 'write'", "#0 write(pointReq,req) 5 2\n"},
		{"SHOW STATS FOR 'nosuch'", "#0\n"},
	} {
		if got := b.run(t, Request{Text: c.text}); got != c.want {
			t.Errorf("%s\n got %s want %s", c.text, got, c.want)
		}
	}
}

func TestDiagnosticsOfANode(t *testing.T) {
	b := newBench(t, DefaultConfig())
	b.Observe(Monitor{Version: "1.2.3", Started: time.Now(), Settings: map[string]map[string]any{"config-data": {"dir": "d", "on": true}}})
	for text, want := range map[string]string{
		"SHOW DIAGNOSTICS FOR 'build'":       "build(Branch,Build Time,Commit,Version)",
		"SHOW DIAGNOSTICS FOR 'config-data'": "#0 config-data(dir,on) d true\n",
		"SHOW DIAGNOSTICS FOR 'nothing'":     "#0\n",
		"SHOW DIAGNOSTICS":                   "system(PID,currentTime,started,uptime)",
	} {
		if got := b.run(t, Request{Text: text}); !strings.Contains(got, want) {
			t.Errorf("%s gives %s, want %s", text, got, want)
		}
	}
}
