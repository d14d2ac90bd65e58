// Command queries measures what queries cost: TSBS's hosts are written, the
// server rests, and then TSBS's queries are asked one after the other over one
// connection. It prints how long an answer takes, median and 95th percentile,
// and the CPU time of the server for one, beside InfluxDB, which is asked the
// same, and VictoriaMetrics, which is asked what comes nearest. Answers of
// InfluxDB must be varved's to the byte.
package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"text/tabwriter"
	"time"

	"github.com/varvedb/varve/test/harness/contest"
)

type config struct {
	contest.Options
	hosts, times int
	longest      time.Duration
	seed         uint64
	only         string
}

func main() {
	var c config
	c.Register("influxd,victoria", 1, 30*time.Second)
	flag.IntVar(&c.hosts, "hosts", 1000, "hosts")
	flag.IntVar(&c.times, "times", 300, "how often a query is asked, each time with other hosts and times; after three that do not count")
	flag.DurationVar(&c.longest, "longest", 10*time.Second, "how long a query is asked, if it is asked ten times")
	flag.Uint64Var(&c.seed, "seed", 1, "of hosts and times")
	flag.StringVar(&c.only, "only", "", "only queries with names that match this regular expression")
	flag.Parse()
	if err := run(c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "queries:", err)
		os.Exit(1)
	}
}

func run(c config, out io.Writer) error {
	only, err := regexp.Compile(c.only)
	if err != nil {
		return err
	}
	var asked []kind
	for _, k := range kinds {
		if only.MatchString(k.name) {
			asked = append(asked, k)
		}
	}
	entrants := c.Entrants(out)
	results := make([][]result, len(entrants))
	for i, e := range entrants {
		if results[i], err = measure(c, e, asked); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	if err := print(c, out, entrants, asked, results); err != nil {
		return err
	}
	for i, e := range entrants[1:] {
		if e.Name == "influxd" {
			return compare(c, out, asked, results[0], results[i+1])
		}
	}
	return nil
}

// texts gives the texts of a kind of query, the same ones in each call.
func texts(c config, k kind) func() text {
	s := &source{Rand: rand.New(rand.NewPCG(c.seed, 0)), hosts: c.hosts}
	return func() text { return k.text(s) }
}

func print(c config, out io.Writer, entrants []contest.Entrant, asked []kind, results [][]result) error {
	fmt.Fprintf(out, "\n%d hosts x %v, a row of 10 fields a minute, settled for %v: how long an answer takes, median and 95th percentile of %d or as many as %v hold, and CPU of the server for one, in ms\n",
		c.hosts, during, c.Settle, c.times, c.longest)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "\taim")
	for _, e := range entrants {
		fmt.Fprintf(w, "\t%s\tp95\tCPU", e.Name)
	}
	for _, e := range entrants[1:] {
		fmt.Fprintf(w, "\ttime/%s\tCPU", e.Name)
	}
	fmt.Fprintln(w, "\tKB\t")
	for q, k := range asked {
		fmt.Fprintf(w, "%s\t%s", k.name, figure("%g", nonZero(k.aim)))
		for i := range entrants {
			r := results[i][q]
			fmt.Fprintf(w, "\t%s\t%s\t%s", figure("%.2f", r.median()), figure("%.2f", r.high()), figure("%.2f", r.cpu))
		}
		ours := results[0][q]
		for i := range entrants[1:] {
			r := results[i+1][q]
			fmt.Fprintf(w, "\t%s\t%s", figure("%.3f", ours.median()/r.median()), figure("%.3f", ours.cpu/r.cpu))
		}
		fmt.Fprintf(w, "\t%.0f\t\n", ours.kilobytes())
	}
	return w.Flush()
}

func nonZero(v float64) float64 {
	if v == 0 {
		return math.NaN()
	}
	return v
}

func figure(format string, v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

// compare wants the same answers to the same queries.
func compare(c config, out io.Writer, asked []kind, ours, theirs []result) error {
	answers := 0
	for q, k := range asked {
		next := texts(c, k)
		for i := range min(len(ours[q].answers), len(theirs[q].answers)) {
			t := next()
			if ours[q].answers[i] != theirs[q].answers[i] {
				return fmt.Errorf("%s: the answer of %d bytes is not InfluxDB's of %d: %s", k.name, ours[q].answers[i].bytes, theirs[q].answers[i].bytes, t.influxql)
			}
			answers++
		}
	}
	fmt.Fprintf(out, "%d answers equal InfluxDB's\n", answers)
	return nil
}
