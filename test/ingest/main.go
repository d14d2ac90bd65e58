// Command ingest measures what writing costs: the same points by the same
// clients to varved and to its peers, one after the other in one run, each on an
// empty directory. It prints rows per second, the server's CPU time until the
// last answer and until it has settled, its peak memory and the bytes on disk,
// and the ratios.
//
// The points are those of TSBS's "cpu-only": ten tags, ten integer fields that
// walk between 0 and 100, one row per host every ten seconds.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/varvedb/varve/test/harness"
	"github.com/varvedb/varve/test/harness/contest"
)

type config struct {
	contest.Options
	loads          []load
	batch, clients int // lines to a request; requests at a time
}

// load is what is written: so many hosts with so many rows each.
type load struct {
	text        string // as it was given
	hosts, rows int
	gzip        bool // bodies are compressed
	single      bool // rows have one field instead of ten
	split       bool // the ten fields of a row come in ten lines
}

func parseLoad(text string) (load, error) {
	l := load{text: text}
	shape, options, _ := strings.Cut(text, ":")
	hosts, rows, _ := strings.Cut(shape, "x")
	var err, err2 error
	l.hosts, err = strconv.Atoi(hosts)
	l.rows, err2 = strconv.Atoi(rows)
	if err != nil || err2 != nil || l.hosts < 1 || l.rows < 1 {
		return l, fmt.Errorf("load %q: not HOSTSxROWS", text)
	}
	switch options {
	case "":
	case "gzip":
		l.gzip = true
	case "single":
		l.single = true
	case "split":
		l.split = true
	default:
		return l, fmt.Errorf("load %q: %q is none of gzip, single and split", text, options)
	}
	return l, nil
}

func (l load) fields() int {
	if l.single {
		return 1
	}
	return len(harness.CPUFields)
}

func (l load) String() string {
	what := fmt.Sprintf("%d hosts x %d rows of %d fields", l.hosts, l.rows, l.fields())
	switch {
	case l.gzip:
		return what + ", gzip"
	case l.split:
		return what + ", one to a line"
	}
	return what
}

func main() {
	var c config
	c.Register("influxd,victoria", 3, 30*time.Second)
	loads := flag.String("loads", "1000x1440,100000x10,1000x1440:gzip,1000x7200:single,1000x144:split",
		"what to write, by comma: HOSTSxROWS, and :gzip, :single (one field) or :split (ten fields, one to a line)")
	flag.IntVar(&c.batch, "batch", 5000, "lines per request")
	flag.IntVar(&c.clients, "clients", 2, "requests at a time")
	flag.Parse()
	for text := range strings.SplitSeq(*loads, ",") {
		l, err := parseLoad(text)
		if err != nil {
			fmt.Fprintln(os.Stderr, "ingest:", err)
			os.Exit(2)
		}
		c.loads = append(c.loads, l)
	}
	if err := run(c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ingest:", err)
		os.Exit(1)
	}
}

func run(c config, out io.Writer) error {
	entrants := c.Entrants(out)
	for _, l := range c.loads {
		table := contest.NewTable("rows/s|%.0f", "CPU ns/value|%.0f", "settled|%.0f", "peak MB|%.0f", "B/value|%.3f", "settled|%.3f", "5xx|%.0f")
		for range c.Rounds {
			for _, e := range entrants {
				figures, err := measure(c, l, e)
				if err != nil {
					return fmt.Errorf("%v: %s: %w", l, e.Name, err)
				}
				table.Add(e.Name, figures...)
			}
		}
		title := fmt.Sprintf("%v: %d clients, %d lines a request, settled after %v, medians of %d rounds",
			l, c.clients, c.batch, c.Settle, c.Rounds)
		if err := table.Print(out, title); err != nil {
			return err
		}
	}
	return nil
}

// measure gives the figures of one run, in the order of the table's columns.
func measure(c config, l load, e contest.Entrant) ([]float64, error) {
	server, err := e.Start()
	if err != nil {
		return nil, err
	}
	defer server.Close()
	before, err := server.Usage()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := write(c, l, server); err != nil {
		return nil, err
	}
	took := time.Since(start)
	written, err := server.Usage()
	if err != nil {
		return nil, err
	}
	disk, err := server.Disk()
	if err != nil {
		return nil, err
	}
	time.Sleep(c.Settle)
	settled, err := server.Usage()
	if err != nil {
		return nil, err
	}
	diskSettled, err := server.Disk()
	if err != nil {
		return nil, err
	}
	values := float64(l.hosts) * float64(l.rows) * float64(l.fields())
	return []float64{
		float64(l.hosts*l.rows) / took.Seconds(),
		float64((written.CPU - before.CPU).Nanoseconds()) / values,
		float64((settled.CPU - before.CPU).Nanoseconds()) / values,
		float64(settled.PeakMemory) / 1e6,
		float64(disk) / values,
		float64(diskSettled) / values,
		float64(server.Refused()),
	}, server.Stop()
}

// write sends every point, with the given number of requests at a time.
func write(c config, l load, server *contest.Run) error {
	g := harness.NewCPUOnly(l.hosts)
	g.Fields, g.Split = l.fields(), l.split
	batch := c.batch // rows
	if l.split {
		batch = max(1, batch/l.fields())
	}
	left := l.hosts * l.rows
	return server.Send(c.clients, l.gzip, func(dst []byte) []byte {
		n := min(left, batch)
		left -= n
		return g.AppendLines(dst, n)
	})
}
