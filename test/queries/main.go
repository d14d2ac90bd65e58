// Command queries measures what reading costs: TSBS's hosts are written, the
// server rests, and then every question is asked some times. It prints the
// server's CPU time for an answer and how long a client waits for it, beside
// InfluxDB, which is asked the same, and VictoriaMetrics, which is asked what
// comes nearest. Answers of InfluxDB must have as many rows as varved's, and the
// same values.
package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/varvedb/varve/test/harness"
	"github.com/varvedb/varve/test/harness/contest"
)

type config struct {
	contest.Options
	hosts, rows, times int
}

// question is what is asked: in InfluxQL, and for VictoriaMetrics in MetricsQL,
// with the step; there empty is that it cannot.
type question struct {
	name     string
	influxql string
	promql   string
	step     string
}

func main() {
	var c config
	c.Register("influxd,victoria", 1, 30*time.Second)
	flag.IntVar(&c.hosts, "hosts", 100, "hosts")
	flag.IntVar(&c.rows, "rows", 4320, "rows of each, ten seconds apart")
	flag.IntVar(&c.times, "times", 15, "how often each question is asked; after one that does not count")
	flag.Parse()
	if err := run(c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "queries:", err)
		os.Exit(1)
	}
}

var begin = time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)

func questions(c config) []question {
	during := fmt.Sprintf("time >= '%s' AND time < '%s'", begin.Format(time.RFC3339), end(c).Format(time.RFC3339))
	each := func(function string) string {
		var calls []string
		for _, f := range harness.CPUFields {
			calls = append(calls, function+"("+f+")")
		}
		return strings.Join(calls, ", ")
	}
	return []question{
		{
			"mean of 1 field, 1 h", "SELECT mean(usage_user) FROM cpu WHERE " + during + " GROUP BY time(1h)",
			"avg(avg_over_time(cpu_usage_user[1h]))", "1h",
		},
		{
			"mean of 10 fields, 1 h", "SELECT " + each("mean") + " FROM cpu WHERE " + during + " GROUP BY time(1h)",
			`avg(avg_over_time({__name__=~"cpu_usage_.*"}[1h])) by (__name__)`, "1h",
		},
		{
			"mean of 1 field, 1 h, each host", "SELECT mean(usage_user) FROM cpu WHERE " + during + " GROUP BY time(1h), hostname",
			"avg_over_time(cpu_usage_user[1h])", "1h",
		},
		{
			"mean of 1 field, 1 min", "SELECT mean(usage_user) FROM cpu WHERE " + during + " GROUP BY time(1m)",
			"avg(avg_over_time(cpu_usage_user[1m]))", "1m",
		},
		{
			"maximum of 10 fields", "SELECT " + each("max") + " FROM cpu WHERE " + during,
			fmt.Sprintf(`max(max_over_time({__name__=~"cpu_usage_.*"}[%ds])) by (__name__)`, 10*c.rows), "",
		},
		{
			"last of each host", "SELECT last(usage_user) FROM cpu GROUP BY hostname",
			fmt.Sprintf("last_over_time(cpu_usage_user[%ds])", 10*c.rows), "",
		},
		{
			"rows above 90", "SELECT usage_user FROM cpu WHERE usage_user > 90 AND " + during,
			"cpu_usage_user > 90", "10s",
		},
		{
			"10 fields above 90, one host", "SELECT * FROM cpu WHERE usage_user > 90 AND hostname = 'host_8' AND " + during,
			`{__name__=~"cpu_usage_.*",hostname="host_8"} and on() cpu_usage_user{hostname="host_8"} > 90`, "10s",
		},
		{
			"95th percentile, 1 h", "SELECT percentile(usage_user, 95) FROM cpu WHERE " + during + " GROUP BY time(1h)",
			"", "",
		},
	}
}

func end(c config) time.Time { return begin.Add(time.Duration(c.rows) * 10 * time.Second) }

// result is what one question gave on one server; NaN if it was not asked.
type result struct {
	cpu, wait float64 // ms
	rows      []any   // of the answer
}

func run(c config, out io.Writer) error {
	asked := questions(c)
	entrants := c.Entrants(out)
	results := make([][]result, len(entrants))
	for i, e := range entrants {
		var err error
		if results[i], err = measure(c, e, asked); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	fmt.Fprintf(out, "\n%d hosts x %d rows of 10 fields, settled for %v: CPU of the server for an answer, the mean of %d, and how long it takes, the median, in ms\n",
		c.hosts, c.rows, c.Settle, c.times)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, e := range entrants {
		fmt.Fprintf(w, "\t%s CPU\ttime", e.Name)
	}
	for _, e := range entrants[1:] {
		fmt.Fprintf(w, "\tCPU/%s", e.Name)
	}
	fmt.Fprintln(w, "\t")
	for q := range asked {
		fmt.Fprint(w, asked[q].name)
		for i := range entrants {
			if r := results[i][q]; math.IsNaN(r.cpu) {
				fmt.Fprint(w, "\t-\t-")
			} else {
				fmt.Fprintf(w, "\t%.1f\t%.1f", r.cpu, r.wait)
			}
		}
		for i := range entrants[1:] {
			if ratio := results[0][q].cpu / results[i+1][q].cpu; math.IsNaN(ratio) || math.IsInf(ratio, 0) {
				fmt.Fprint(w, "\t-")
			} else {
				fmt.Fprintf(w, "\t%.3f", ratio)
			}
		}
		fmt.Fprintln(w, "\t")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i, e := range entrants {
		if e.Name != "influxd" {
			continue
		}
		for q := range asked {
			if why := differ(results[0][q].rows, results[i][q].rows); why != "" {
				return fmt.Errorf("%s: answers differ from InfluxDB's: %s", asked[q].name, why)
			}
		}
		fmt.Fprintln(out, "all answers equal InfluxDB's")
	}
	return nil
}

func measure(c config, e contest.Entrant, asked []question) ([]result, error) {
	server, err := e.Start()
	if err != nil {
		return nil, err
	}
	defer server.Close()
	g := harness.NewCPUOnly(c.hosts)
	left := c.hosts * c.rows
	if err := server.Send(2, false, func(dst []byte) []byte {
		n := min(left, 5000)
		left -= n
		return g.AppendLines(dst, n)
	}); err != nil {
		return nil, err
	}
	time.Sleep(c.Settle)
	results := make([]result, len(asked))
	for i, q := range asked {
		ask := func() ([]any, error) { return server.InfluxQL(q.influxql) }
		if e.Name == "victoria" {
			if q.promql == "" {
				results[i] = result{cpu: math.NaN(), wait: math.NaN()}
				continue
			}
			ask = func() ([]any, error) { return nil, server.MetricsQL(q.promql, q.step, begin, end(c)) }
		}
		if results[i], err = repeat(c, server, ask); err != nil {
			return nil, fmt.Errorf("%s: %w", q.name, err)
		}
	}
	return results, server.Stop()
}

func repeat(c config, server *contest.Run, ask func() ([]any, error)) (r result, err error) {
	if r.rows, err = ask(); err != nil {
		return r, err
	}
	before, err := server.Usage()
	if err != nil {
		return r, err
	}
	var took []float64
	for range c.times {
		began := time.Now()
		if _, err := ask(); err != nil {
			return r, err
		}
		took = append(took, time.Since(began).Seconds()*1e3)
	}
	after, err := server.Usage()
	if err != nil {
		return r, err
	}
	// The clock of the CPU ticks a hundred times a second: a mean of many.
	r.cpu = (after.CPU - before.CPU).Seconds() * 1e3 / float64(c.times)
	r.wait = contest.Median(took)
	return r, nil
}

// differ says how two answers differ: in the rows, or in a number by more than
// the order of additions explains.
func differ(ours, theirs []any) string {
	if len(ours) != len(theirs) {
		return fmt.Sprintf("%d values, InfluxDB has %d", len(ours), len(theirs))
	}
	for i, v := range ours {
		a, isNumber := v.(float64)
		b, also := theirs[i].(float64)
		if isNumber && also && math.Abs(a-b) <= 1e-9*math.Abs(b) {
			continue
		}
		if v != theirs[i] {
			return fmt.Sprintf("value %d is %v, InfluxDB has %v", i, v, theirs[i])
		}
	}
	return ""
}
