package main

import (
	"context"
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/cmd/varved/config"
	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/coordinator/httpapi"
	"github.com/varvedb/varve/coordinator/monitor"
	"github.com/varvedb/varve/data"
)

// openMonitor opens what says how this node does in InfluxDB's words.
func (s *server) openMonitor(shards *data.Node) {
	all := prometheus.Gatherers{s.registry}
	if shards != nil {
		each := prometheus.NewRegistry()
		each.MustRegister(shards.ShardMetrics())
		all = append(all, each)
	}
	s.monitor = monitor.New(monitor.Parts{
		Metrics: all, Bind: s.cfg.HTTPAddress, Started: s.started, Version: softwareVersion(),
		CommandLine: config.CommandLine(os.Args), Settings: s.cfg.Diagnostics(), Log: s.log,
	})
}

// storeStatistics writes the statistics of this node to a database, if that is
// asked for.
func (s *server) storeStatistics(writer *coordinator.Writer) {
	if !s.cfg.Monitor.StoreEnabled {
		return
	}
	to := monitor.Destination{Catalog: coordinator.NewCatalog(s.store), Writer: coordinator.NewInto(writer), Host: s.cfg.NodeName}
	s.background("statistics", func(ctx context.Context) { s.monitor.Store(ctx, s.cfg.Monitor, to) })
}

// openAccessLog opens the log of HTTP requests, if there is to be one. A file is
// appended to, so that it may be cut off from outside.
func (s *server) openAccessLog(cfg *httpapi.Config, parts *httpapi.Parts) error {
	told := s.cfg.AccessLog
	cfg.LogStatuses, cfg.SuppressWriteLog = told.Statuses, told.SuppressWrites
	if !told.Enabled {
		return nil
	}
	if told.Path == "" {
		parts.AccessLog, cfg.LogPrefix = os.Stderr, "[httpd] "
		return nil
	}
	f, err := os.OpenFile(told.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("http-access-log-path: %w", err)
	}
	parts.AccessLog = f
	s.onClose("access log", f.Close)
	return nil
}
