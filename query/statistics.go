package query

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/model"
)

// statistic is one row of SHOW STATS: the values of a module, or of a part of it
// that the tags name.
type statistic struct {
	module string
	tags   model.Tags
	values map[string]any // int64 or float64
}

func (s *statistic) compare(o *statistic) int {
	return cmp.Or(strings.Compare(s.module, o.module), slices.CompareFunc(s.tags, o.tags, func(a, b model.Tag) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Value, b.Value))
	}))
}

// sample is one number of a metric.
type sample struct {
	name  string
	tags  model.Tags
	value float64
}

// gather gives all that is registered. Of a histogram or a summary it is the
// count and the sum.
func gather(g prometheus.Gatherer) ([]sample, error) {
	if g == nil {
		return nil, nil
	}
	families, err := g.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	var all []sample
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var tags model.Tags
			for _, l := range m.GetLabel() { // which are sorted
				tags = append(tags, model.Tag{Key: l.GetName(), Value: l.GetValue()})
			}
			add := func(suffix string, v float64) {
				all = append(all, sample{f.GetName() + suffix, tags, v})
			}
			switch {
			case m.GetHistogram() != nil:
				add("_count", float64(m.GetHistogram().GetSampleCount()))
				add("_sum", m.GetHistogram().GetSampleSum())
			case m.GetSummary() != nil:
				add("_count", float64(m.GetSummary().GetSampleCount()))
				add("_sum", m.GetSummary().GetSampleSum())
			case m.GetCounter() != nil:
				add("", m.GetCounter().GetValue())
			case m.GetGauge() != nil:
				add("", m.GetGauge().GetValue())
			case m.GetUntyped() != nil:
				add("", m.GetUntyped().GetValue())
			}
		}
	}
	return all, nil
}

// statistics gives a row for each module, which is the first word of a metric's
// name, and each set of labels, and the modules of InfluxDB that are the same
// under other names. They are sorted.
func statistics(samples []sample) []statistic {
	rows := map[string]*statistic{}
	row := func(module string, tags model.Tags) *statistic {
		key := fmt.Sprintf("%q%q", module, tags)
		if rows[key] == nil {
			rows[key] = &statistic{module, tags, map[string]any{}}
		}
		return rows[key]
	}
	for i := range samples {
		s := &samples[i]
		module, column, ok := strings.Cut(s.name, "_")
		if !ok {
			module, column = "metrics", s.name
		}
		row(module, s.tags).values[column] = number(s.name, s.value)
	}
	for _, c := range influxColumns {
		sum, known := 0.0, false
		for i := range samples {
			if s := &samples[i]; slices.Contains(c.metrics, s.name) {
				known = true // though none may have that label yet
				if c.holds(s.tags) {
					sum += s.value
				}
			}
		}
		if known { // else it is not told, for it is not known
			row(c.module, nil).values[c.column] = int64(math.Round(sum * max(c.scale, 1)))
		}
	}
	return slices.SortedFunc(func(yield func(statistic) bool) {
		for r := range maps.Values(rows) {
			if !yield(*r) {
				return
			}
		}
	}, func(a, b statistic) int { return a.compare(&b) })
}

// number gives a value the type that it always has under its name.
func number(name string, v float64) any {
	if strings.Contains(name, "seconds") || strings.HasSuffix(name, "_sum") || v != math.Trunc(v) || math.Abs(v) > 1<<53 {
		return v
	}
	return int64(v)
}

// influxColumn is a statistic of InfluxDB: the sum of some metrics, of those
// samples whose label has a prefix.
type influxColumn struct {
	module, column string
	metrics        []string
	scale          float64 // 0 is 1
	label, prefix  string
}

func (c *influxColumn) holds(tags model.Tags) bool {
	return c.label == "" || strings.HasPrefix(tags.Get(c.label), c.prefix)
}

const nanoseconds = 1e9

// influxColumns are the statistics under the names that clients of InfluxDB look
// for, where what is counted here is the same.
var influxColumns = []influxColumn{
	{module: "httpd", column: "req", metrics: []string{"http_requests_total"}},
	{module: "httpd", column: "queryReq", metrics: []string{"http_requests_total"}, label: "path", prefix: "/query"},
	{module: "httpd", column: "writeReq", metrics: []string{"http_requests_total"}, label: "path", prefix: "/write"},
	{module: "httpd", column: "pingReq", metrics: []string{"http_requests_total"}, label: "path", prefix: "/ping"},
	{module: "httpd", column: "clientError", metrics: []string{"http_requests_total"}, label: "status", prefix: "4"},
	{module: "httpd", column: "serverError", metrics: []string{"http_requests_total"}, label: "status", prefix: "5"},
	{module: "httpd", column: "reqDurationNs", metrics: []string{"http_request_duration_seconds_sum"}, scale: nanoseconds},
	{module: "httpd", column: "queryReqDurationNs", metrics: []string{"http_request_duration_seconds_sum"}, scale: nanoseconds, label: "path", prefix: "/query"},
	{module: "httpd", column: "writeReqDurationNs", metrics: []string{"http_request_duration_seconds_sum"}, scale: nanoseconds, label: "path", prefix: "/write"},
	{module: "httpd", column: "writeReqBytes", metrics: []string{"http_write_bytes_total"}},
	{module: "httpd", column: "pointsWrittenDropped", metrics: []string{"http_write_dropped_total"}},
	{module: "httpd", column: "recoveredPanics", metrics: []string{"http_panics_total"}},
	{module: "queryExecutor", column: "queriesActive", metrics: []string{"query_active"}},
	{module: "queryExecutor", column: "queriesExecuted", metrics: []string{"query_active", "query_duration_seconds_count"}},
	{module: "queryExecutor", column: "queriesFinished", metrics: []string{"query_duration_seconds_count"}},
	{module: "queryExecutor", column: "queryDurationNs", metrics: []string{"query_duration_seconds_sum"}, scale: nanoseconds},
	{module: "queryExecutor", column: "recoveredPanics", metrics: []string{"query_panics_total"}},
	{module: "runtime", column: "Alloc", metrics: []string{"go_memstats_alloc_bytes"}},
	{module: "runtime", column: "Frees", metrics: []string{"go_memstats_frees_total"}},
	{module: "runtime", column: "HeapAlloc", metrics: []string{"go_memstats_heap_alloc_bytes"}},
	{module: "runtime", column: "HeapIdle", metrics: []string{"go_memstats_heap_idle_bytes"}},
	{module: "runtime", column: "HeapInUse", metrics: []string{"go_memstats_heap_inuse_bytes"}},
	{module: "runtime", column: "HeapObjects", metrics: []string{"go_memstats_heap_objects"}},
	{module: "runtime", column: "HeapReleased", metrics: []string{"go_memstats_heap_released_bytes"}},
	{module: "runtime", column: "HeapSys", metrics: []string{"go_memstats_heap_sys_bytes"}},
	{module: "runtime", column: "Mallocs", metrics: []string{"go_memstats_mallocs_total"}},
	{module: "runtime", column: "NumGC", metrics: []string{"go_gc_duration_seconds_count"}},
	{module: "runtime", column: "NumGoroutine", metrics: []string{"go_goroutines"}},
	{module: "runtime", column: "PauseTotalNs", metrics: []string{"go_gc_duration_seconds_sum"}, scale: nanoseconds},
	{module: "runtime", column: "Sys", metrics: []string{"go_memstats_sys_bytes"}},
	{module: "runtime", column: "TotalAlloc", metrics: []string{"go_memstats_alloc_bytes_total"}},
	{module: "write", column: "writeDrop", metrics: []string{"coordinator_refused_rows_total"}},
	{module: "write", column: "writeError", metrics: []string{"coordinator_failed_writes_total"}},
}
