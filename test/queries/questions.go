package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/varvedb/varve/test/harness"
)

// The data: every host has a row a minute for a day.
var begin = time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	during = 24 * time.Hour
	step   = time.Minute
)

// kind is a query of TSBS, or one of ours: its text differs from call to call in
// hosts and times.
type kind struct {
	name string
	aim  float64 // ms that an answer may take; 0 for none
	text func(*source) text
}

// text is one query: in InfluxQL, and where there is a like in MetricsQL, which
// is asked from start to end in steps.
type text struct {
	influxql   string
	metricsql  string
	start, end time.Time
	step       time.Duration
}

// source draws hosts and times.
type source struct {
	*rand.Rand
	hosts int
}

// span gives a span of time inside that of the data, to the second.
func (s *source) span(d time.Duration) (start, end time.Time) {
	start = begin.Add(time.Duration(s.Int64N(int64((during-d)/time.Second))) * time.Second)
	return start, start.Add(d)
}

// names gives n distinct hosts.
func (s *source) names(n int) []string {
	names := make([]string, n)
	for i, h := range s.Perm(s.hosts)[:n] {
		names[i] = "host_" + strconv.Itoa(h)
	}
	return names
}

// kinds are TSBS's queries with its names for them, in the order of the table in
// docs/performance.md, and then some of ours.
var kinds = []kind{
	{"single-groupby-1-1-1", 0.4, maxima(1, 1, time.Hour, "1m")},
	{"single-groupby-1-8-1", 0.7, maxima(1, 8, time.Hour, "1m")},
	{"single-groupby-5-8-1", 1.2, maxima(5, 8, time.Hour, "1m")},
	{"cpu-max-all-1", 0.5, maxima(10, 1, 8*time.Hour, "1h")},
	{"cpu-max-all-8", 1, maxima(10, 8, 8*time.Hour, "1h")},
	{"double-groupby-1", 6, means(1)},
	{"double-groupby-5", 16, means(5)},
	{"double-groupby-all", 30, means(10)},
	{"high-cpu-1", 0.6, high(1)},
	{"high-cpu-all", 200, high(0)},
	{"lastpoint", 3, func(*source) text {
		return text{influxql: "SELECT * FROM cpu GROUP BY hostname ORDER BY time DESC LIMIT 1"}
	}},
	{"groupby-orderby-limit", 10, func(s *source) text {
		_, end := s.span(time.Hour)
		return text{influxql: "SELECT max(usage_user) FROM cpu WHERE time < " + quoted(end) + " GROUP BY time(1m) LIMIT 5"}
	}},
	{"mean of all hosts by hour", 0, hourly("mean(usage_user)")},
	{"95th percentile by hour", 0, hourly("percentile(usage_user, 95)")},
	{"last of each host", 0, func(*source) text { return text{influxql: "SELECT last(usage_user) FROM cpu GROUP BY hostname"} }},
}

// maxima is of the first fields of some hosts.
func maxima(fields, hosts int, d time.Duration, every string) func(*source) text {
	return func(s *source) text {
		start, end := s.span(d)
		names := s.names(hosts)
		t := text{
			influxql: "SELECT " + calls("max", fields) + " FROM cpu WHERE (hostname = '" + strings.Join(names, "' OR hostname = '") + "')" +
				between(start, end) + " GROUP BY time(" + every + ")",
			metricsql: fmt.Sprintf("max(max_over_time({__name__=~%q,hostname=~%q}[%s])) by (__name__)", series(fields), strings.Join(names, "|"), every),
			start:     start, end: end,
		}
		t.step, _ = time.ParseDuration(every)
		return t
	}
}

// means is of the first fields by host and hour.
func means(fields int) func(*source) text {
	return func(s *source) text {
		start, end := s.span(12 * time.Hour)
		return text{
			influxql:  "SELECT " + calls("mean", fields) + " FROM cpu WHERE" + between(start, end)[len(" AND"):] + " GROUP BY time(1h), hostname",
			metricsql: fmt.Sprintf("avg(avg_over_time({__name__=~%q}[1h])) by (__name__, hostname)", series(fields)),
			start:     start, end: end, step: time.Hour,
		}
	}
}

// high is the rows of busy times, of some hosts or with 0 of all.
func high(hosts int) func(*source) text {
	return func(s *source) text {
		start, end := s.span(12 * time.Hour)
		of := ""
		if hosts > 0 {
			of = " AND (hostname = '" + strings.Join(s.names(hosts), "' OR hostname = '") + "')"
		}
		return text{influxql: "SELECT * FROM cpu WHERE usage_user > 90.0" + of + between(start, end)}
	}
}

// hourly is one call over all hosts.
func hourly(call string) func(*source) text {
	return func(s *source) text {
		start, end := s.span(12 * time.Hour)
		return text{influxql: "SELECT " + call + " FROM cpu WHERE" + between(start, end)[len(" AND"):] + " GROUP BY time(1h)"}
	}
}

// calls is a function of the first n fields.
func calls(function string, n int) string {
	return function + "(" + strings.Join(harness.CPUFields[:n], "), "+function+"(") + ")"
}

// series is what VictoriaMetrics calls the first n fields.
func series(n int) string { return "cpu_(" + strings.Join(harness.CPUFields[:n], "|") + ")" }

func between(start, end time.Time) string {
	return " AND time >= " + quoted(start) + " AND time < " + quoted(end)
}

func quoted(t time.Time) string { return "'" + t.Format(time.RFC3339) + "'" }
