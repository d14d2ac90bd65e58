package monitor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// registry has some of what a node has.
func registry(t *testing.T) *prometheus.Registry {
	t.Helper()
	reg := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total"}, []string{"path", "status"})
	requests.WithLabelValues("/query", "200").Add(3)
	requests.WithLabelValues("/write", "401").Add(2)
	requests.WithLabelValues("/api/v2/write", "503").Add(1)
	took := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "query_duration_seconds"})
	took.Observe(0.5)
	rows := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "data_shard_rows_total"}, []string{"database", "policy", "shard", "path", "log_path", "outcome"})
	rows.WithLabelValues("d", "autogen", "7", "/v/7", "/v/7/log", "ok").Add(10)
	rows.WithLabelValues("d", "autogen", "8", "/v/8", "/v/8/log", "error").Add(1)
	reg.MustRegister(requests, took, rows)
	return reg
}

func newMonitor(t *testing.T) *Monitor {
	t.Helper()
	return New(Parts{
		Metrics: registry(t), Bind: ":8086", Started: time.Unix(1000, 0), Version: "1.2.3",
		CommandLine: []string{"varved", "--data-dir", "d"}, Log: slog.New(slog.DiscardHandler),
	})
}

// find gives the values of a statistic with a tag, "" for any.
func find(t *testing.T, m *Monitor, name, tag, value string) map[string]int64 {
	t.Helper()
	all, err := m.Statistics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Name == name && (tag == "" || s.Tags.Get(tag) == value) {
			return s.Values
		}
	}
	t.Fatalf("no statistic %s with %s=%s", name, tag, value)
	return nil
}

func TestStatisticsHaveInfluxDBsNames(t *testing.T) {
	m := newMonitor(t)
	httpd := find(t, m, "httpd", "bind", ":8086")
	for column, want := range map[string]int64{
		"req": 6, "queryReq": 3, "writeReq": 3, "clientError": 2, "authFail": 2, "serverError": 1, "reqActive": 0,
	} {
		if got, ok := httpd[column]; !ok || got != want {
			t.Errorf("httpd %s is %d, want %d", column, got, want)
		}
	}
	queries := find(t, m, "queryExecutor", "", "")
	if queries["queriesFinished"] != 1 || queries["queryDurationNs"] != 5e8 {
		t.Errorf("queryExecutor is %v", queries)
	}
	if got := find(t, m, "shard", "id", "7"); got["writePointsOk"] != 10 || got["writePointsErr"] != 0 {
		t.Errorf("shard 7 is %v", got)
	}
	if got := find(t, m, "shard", "id", "8"); got["writePointsOk"] != 0 || got["writePointsErr"] != 1 {
		t.Errorf("shard 8 is %v", got)
	}
	if got := find(t, m, "cq", "", ""); len(got) != 2 {
		t.Errorf("cq before its first run is %v", got)
	}
}

func TestAModuleThatIsNotMeasuredIsNotTold(t *testing.T) {
	all, err := newMonitor(t).Statistics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Name == "runtime" || s.Name == "database" {
			t.Errorf("%s is told without a metric: %v", s.Name, s.Values)
		}
	}
	if !slices.IsSortedFunc(all, compare) {
		t.Error("statistics are not sorted")
	}
}

// TestVarsAreWhatTelegrafReads decodes /debug/vars as Telegraf's inputs.influxdb
// does: known keys, and every object with name and values as a point.
func TestVarsAreWhatTelegrafReads(t *testing.T) {
	m := newMonitor(t)
	w := httptest.NewRecorder()
	m.Vars().ServeHTTP(w, httptest.NewRequest("GET", "/debug/vars", nil))
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(w.Body.Bytes(), &keys); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	var system struct {
		CurrentTime, Started string
		Uptime               uint64
	}
	var memory struct {
		Alloc   int64
		NumGC   int64
		PauseNs [256]int64
	}
	var commandLine []string
	for key, into := range map[string]any{"system": &system, "memstats": &memory, "cmdline": &commandLine} {
		if err := json.Unmarshal(keys[key], into); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	if system.Started != "1970-01-01T00:16:40Z" || system.Uptime == 0 || memory.Alloc == 0 || len(commandLine) != 3 {
		t.Errorf("system %+v, memory %+v, command line %q", system, memory, commandLine)
	}
	points := 0
	for key, text := range keys {
		var p struct {
			Name   string
			Tags   map[string]string
			Values map[string]any
		}
		if json.Unmarshal(text, &p) == nil && p.Name != "" && len(p.Values) > 0 {
			points++
			if p.Name == "shard" && key != "shard:"+p.Tags["path"]+":"+p.Tags["id"] {
				t.Errorf("key %s of a shard with tags %v", key, p.Tags)
			}
		}
	}
	if points < 6 || keys["httpd::8086"] == nil {
		t.Errorf("%d points in %v", points, slices.Sorted(maps.Keys(keys)))
	}
	if lines := bytes.Count(w.Body.Bytes(), []byte("\n")); lines < len(keys) {
		t.Errorf("%d lines for %d keys", lines, len(keys))
	}
}

// stored is a database that statistics are written to.
type stored struct {
	mu      sync.Mutex
	created []string
	batches []*model.Batch
	fail    error
}

func (s *stored) Database(context.Context, string) (*query.Database, error) {
	if len(s.created) == 0 {
		return nil, &model.Error{Kind: model.ErrNotFound, Text: "database not found"}
	}
	return &query.Database{}, nil
}

func (s *stored) CreateDatabase(_ context.Context, name string, p *query.PolicySpec) error {
	s.created = append(s.created, name+" "+p.Name+" "+p.Duration.String())
	return nil
}

func (s *stored) Write(_ context.Context, to query.Destination, b *model.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.batches = append(s.batches, b)
	return nil
}

func TestStatisticsAreStoredAtEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, to := newMonitor(t), &stored{}
		ctx, cancel := context.WithCancel(t.Context())
		go m.Store(ctx, DefaultConfig(), Destination{Catalog: to, Writer: to, Host: "node,1"})
		time.Sleep(25 * time.Second)
		to.mu.Lock()
		to.fail = errors.New("full")
		to.mu.Unlock()
		time.Sleep(20 * time.Second) // a failure ends nothing
		to.mu.Lock()
		to.fail = nil
		to.mu.Unlock()
		time.Sleep(10 * time.Second)
		cancel()
		synctest.Wait()
		if len(to.created) != 1 || to.created[0] != "_internal monitor 168h0m0s" {
			t.Errorf("created %q", to.created)
		}
		if len(to.batches) < 3 || len(to.batches) > 4 {
			t.Fatalf("%d batches in 35 s of 10 s intervals", len(to.batches))
		}
		b := to.batches[0]
		for i := range b.Tables {
			for _, at := range b.Tables[i].Times {
				if at%int64(10*time.Second) != 0 {
					t.Errorf("%s at %d", b.Tables[i].Measurement, at)
				}
			}
		}
		keys := ""
		for _, s := range b.Series {
			keys += string(s.Key) + "\n"
		}
		if !strings.Contains(keys, `httpd,bind=:8086,hostname=node\,1`) || !strings.Contains(keys, `shard,database=d,`) {
			t.Errorf("series\n%s", keys)
		}
	})
}
