package query

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestStatsShowWhateverIsRegistered(t *testing.T) {
	reg := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total"}, []string{"path", "status"})
	requests.WithLabelValues("/query", "200").Add(3)
	requests.WithLabelValues("/write", "400").Add(2)
	age := prometheus.NewGauge(prometheus.GaugeOpts{Name: "any_age_seconds"})
	age.Set(2)
	took := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "query_duration_seconds"})
	took.Observe(0.5)
	reg.MustRegister(requests, age, took)
	b := newBench(t, DefaultConfig())
	b.Observe(Monitor{Metrics: reg})
	for _, c := range []struct{ text, want string }{
		{"SHOW STATS FOR 'any'", "#0 any(age_seconds) 2\n"},
		{"SHOW STATS FOR 'http'", "#0 http(requests_total) 3 http(requests_total) 2\n"},
		{"SHOW STATS FOR 'httpd'", "#0 httpd(clientError,pingReq,queryReq,req,serverError,writeReq) 2 0 3 5 0 2\n"},
		{"SHOW STATS FOR 'queryExecutor'", "#0 queryExecutor(queriesExecuted,queriesFinished,queryDurationNs) 1 1 500000000\n"},
		{"SHOW STATS FOR 'runtime'", "#0\n"}, // what is not known is not told
	} {
		if got := b.run(t, Request{Text: c.text}); got != c.want {
			t.Errorf("%s\n got %s want %s", c.text, got, c.want)
		}
	}
	if got := b.run(t, Request{Text: "SHOW STATS"}); strings.Count(got, "(") < 5 {
		t.Errorf("SHOW STATS gives %s", got)
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
