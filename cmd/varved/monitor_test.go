package main

import (
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/cmd/varved/config"
	"github.com/varvedb/varve/coordinator/monitor"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/internal/vfs"
)

// TestStatisticsAreMadeOfMetricsThatANodeHas opens a node of a cluster with all
// listeners. A metric that was renamed, or lost a label, fails it.
func TestStatisticsAreMadeOfMetricsThatANodeHas(t *testing.T) {
	environ := []string{"VARVE_COLLECTD_0_TYPESDB=" + filepath.Join("..", "..", "coordinator", "ingest", "testdata", "types.db")}
	for _, kind := range []string{"UDP", "GRAPHITE", "OPENTSDB", "COLLECTD"} {
		environ = append(environ, "VARVE_"+kind+"_0_ENABLED=true", "VARVE_"+kind+"_0_BIND_ADDRESS=127.0.0.1:0")
	}
	dir := t.TempDir()
	cfg, _, err := config.Load([]string{
		"--data-dir", dir, "--http-bind-address", "127.0.0.1:0", "--rpc-bind-address", "127.0.0.1:0",
		"--meta-client-address", "127.0.0.1:0", "--meta-peer-address", "127.0.0.1:0",
	}, environ)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		cfg: cfg, log: slog.New(slog.DiscardHandler), registry: prometheus.NewRegistry(), fs: vfs.OS, dir: filepath.ToSlash(dir),
		failed: make(chan error, 3),
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.listenRPC(); err != nil {
		t.Fatal(err)
	}
	if err := s.open("127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	has := described(s.registry, (*data.Node)(nil).ShardMetrics())
	if len(has) < 100 {
		t.Fatalf("only %d metrics: %v", len(has), has)
	}
	for name, labels := range monitor.Metrics() {
		own, ok := has[name]
		for _, part := range []string{"_sum", "_count"} { // of a histogram or a summary
			if whole, cut := strings.CutSuffix(name, part); cut && !ok {
				own, ok = has[whole]
			}
		}
		if !ok {
			t.Errorf("no metric is named %s", name)
			continue
		}
		for _, l := range labels {
			if !slices.Contains(own, l) {
				t.Errorf("%s has the labels %q and not %q", name, own, l)
			}
		}
	}
}

var (
	nameOfDesc   = regexp.MustCompile(`fqName: "([^"]+)"`)
	labelsOfDesc = regexp.MustCompile(`variableLabels: \{([^}]*)\}`)
)

// described gives the metrics of collectors, and their labels. A metric with labels
// that has not counted yet is not gathered, so what counts is what is described.
func described(all ...prometheus.Collector) map[string][]string {
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		for _, c := range all {
			c.Describe(descs)
		}
	}()
	has := make(map[string][]string)
	for d := range descs {
		name, labels := nameOfDesc.FindStringSubmatch(d.String()), labelsOfDesc.FindStringSubmatch(d.String())
		if name != nil && labels != nil {
			has[name[1]] = append(has[name[1]], strings.Split(labels[1], ",")...)
		}
	}
	return has
}
