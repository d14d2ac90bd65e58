// Command series measures what many series cost: CPU for a new one and for the
// next row of a known one, heap for each, and how long a server takes to start
// with all of them and a log that is full. With -memory-limit it shows that so
// many fit, with -cgroup that they do not only by promise.
package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/varvedb/varve/test/harness"
	"github.com/varvedb/varve/test/harness/contest"
)

type config struct {
	contest.Options
	series, fields, rows, batch int
	memoryLimit, cgroup         string
}

func main() {
	var c config
	c.Register("", 1, 30*time.Second)
	flag.IntVar(&c.series, "series", 1_000_000, "series, of ten tags")
	flag.IntVar(&c.fields, "fields", 10, "fields of a row")
	flag.IntVar(&c.rows, "rows", 2, "rows of each series before the server rests; the first makes them")
	flag.IntVar(&c.batch, "batch", 5000, "lines per request")
	flag.StringVar(&c.memoryLimit, "memory-limit", "", "varved's --memory-limit")
	flag.StringVar(&c.cgroup, "cgroup", "", "bytes of memory beyond which the kernel ends a server, as 4g; needs root")
	flag.Parse()
	if err := run(c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "series:", err)
		os.Exit(1)
	}
}

// startUp is how long a start took, in seconds.
type startUp struct {
	ready  float64 // until it answers at all
	answer float64 // until it has answered a question about one series; NaN if none was asked
	cpu    float64 // of all that
}

// figures is what one server gave. What was not measured is NaN.
type figures struct {
	firstRow, nextRow   float64 // CPU ns per row, until the answer
	settled             float64 // CPU ns per row, of all rows
	heap, caches        float64 // bytes per series
	anonymous           float64 // bytes per series, memory that is no file's, garbage included
	peak                float64 // bytes
	disk                float64 // bytes per series
	start, startFullLog startUp // after an end, and after a kill with the log full
	count               float64 // seconds that count(*) of all series takes
	refused             int64
}

func run(c config, out io.Writer) error {
	entrants := c.Entrants(out)
	results := make([]figures, len(entrants))
	for i, e := range entrants {
		var err error
		if results[i], err = measure(c, e); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	fmt.Fprintf(out, "\n%d series of ten tags, %d rows of %d fields each, settled after %v", c.series, c.rows, c.fields, c.Settle)
	if c.memoryLimit != "" {
		fmt.Fprintf(out, ", varved with --memory-limit %s", c.memoryLimit)
	}
	if c.cgroup != "" {
		fmt.Fprintf(out, ", ended by the kernel beyond %s", c.cgroup)
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, e := range entrants {
		fmt.Fprintf(w, "\t%s", e.Name)
	}
	fmt.Fprintln(w, "\t")
	line := func(name, format string, of func(figures) float64) {
		fmt.Fprint(w, name)
		for _, r := range results {
			if v := of(r); math.IsNaN(v) {
				fmt.Fprint(w, "\t-")
			} else {
				fmt.Fprintf(w, "\t"+format, v)
			}
		}
		fmt.Fprintln(w, "\t")
	}
	line("CPU us of a series' first row", "%.2f", func(f figures) float64 { return f.firstRow / 1e3 })
	line("CPU us of its next row", "%.2f", func(f figures) float64 { return f.nextRow / 1e3 })
	line("CPU us of a new series: the difference", "%.2f", func(f figures) float64 { return (f.firstRow - f.nextRow) / 1e3 })
	line("CPU us of a row, settled", "%.2f", func(f figures) float64 { return f.settled / 1e3 })
	line("heap, B/series", "%.0f", func(f figures) float64 { return f.heap })
	line("of it memtables and caches with a budget", "%.0f", func(f figures) float64 { return f.caches })
	line("heap beyond these, B/series", "%.0f", func(f figures) float64 { return f.heap - f.caches })
	line("memory without files, B/series", "%.0f", func(f figures) float64 { return f.anonymous })
	line("peak memory, MB", "%.0f", func(f figures) float64 { return f.peak / 1e6 })
	line("disk, B/series", "%.0f", func(f figures) float64 { return f.disk })
	line("start, s", "%.2f", func(f figures) float64 { return f.start.ready })
	line("until a question about one series is answered", "%.2f", func(f figures) float64 { return f.start.answer })
	line("CPU s of that", "%.2f", func(f figures) float64 { return f.start.cpu })
	line("start after a kill with a full log, s", "%.2f", func(f figures) float64 { return f.startFullLog.ready })
	line("until a question about one series is answered", "%.2f", func(f figures) float64 { return f.startFullLog.answer })
	line("CPU s of that", "%.2f", func(f figures) float64 { return f.startFullLog.cpu })
	line("count of all rows, s", "%.2f", func(f figures) float64 { return f.count })
	line("answers 5xx", "%.0f", func(f figures) float64 { return float64(f.refused) })
	return w.Flush()
}

func measure(c config, e contest.Entrant) (f figures, err error) {
	flags := []string{"--max-series-per-database", "0", "--max-values-per-tag", "0"}
	if c.memoryLimit != "" {
		flags = append(flags, "--memory-limit", c.memoryLimit)
	}
	server, err := e.Start(flags...)
	if err != nil {
		return f, err
	}
	defer func() { server.Close() }()
	cage := func() error { return nil }
	if c.cgroup != "" {
		g, err := harness.NewCgroup(c.cgroup)
		if err != nil {
			return f, err
		}
		defer g.Remove()
		defer server.Close() // before the group can go; twice does no harm
		cage = func() error { return g.Add(server.PID()) }
	}
	if err := cage(); err != nil {
		return f, err
	}
	f.heap, f.caches = math.NaN(), math.NaN()
	knowsHeap := e.Name != "victoria"
	var emptyHeap int64
	if knowsHeap && e.Name == "varved" {
		m, err := server.Metrics()
		if err != nil {
			return f, err
		}
		emptyHeap = int64(m["go_memstats_heap_alloc_bytes"]) // some MB, garbage included
	} else if knowsHeap {
		if emptyHeap, err = server.LiveHeap(); err != nil {
			return f, err
		}
	}
	empty, err := server.Usage()
	if err != nil {
		return f, err
	}

	series := float64(c.series)
	previous := empty
	for row := range c.rows {
		if err := write(c, server, row); err != nil {
			return f, err
		}
		u, err := server.Usage()
		if err != nil {
			return f, err
		}
		each := float64((u.CPU - previous.CPU).Nanoseconds()) / series
		if row == 0 {
			f.firstRow = each
		} else {
			f.nextRow += each / float64(c.rows-1)
		}
		previous = u
	}
	if c.rows == 1 {
		f.nextRow = math.NaN()
	}
	time.Sleep(c.Settle)
	u, err := server.Usage()
	if err != nil {
		return f, err
	}
	f.settled = float64((u.CPU - empty.CPU).Nanoseconds()) / series / float64(c.rows)
	f.anonymous = float64(u.Anonymous-empty.Anonymous) / series
	disk, err := server.Disk()
	if err != nil {
		return f, err
	}
	f.disk = float64(disk) / series
	if knowsHeap {
		heap, err := server.LiveHeap()
		if err != nil {
			return f, err
		}
		f.heap = float64(heap-emptyHeap) / series
		if m, err := server.Metrics(); err == nil {
			f.caches = budgeted(m) / series
		}
	}

	if err := server.Stop(); err != nil {
		return f, err
	}
	f.peak = float64(u.PeakMemory)
	if f.start, err = restart(server, cage); err != nil {
		return f, err
	}
	// Once more all series, and a kill before they can be in files.
	if err := write(c, server, c.rows); err != nil {
		return f, err
	}
	if u, err = server.Usage(); err != nil {
		return f, err
	}
	f.peak = max(f.peak, float64(u.PeakMemory))
	server.Kill()
	if f.startFullLog, err = restart(server, cage); err != nil {
		return f, err
	}
	f.count = math.NaN()
	if e.Name != "victoria" {
		began := time.Now()
		if err := check(c, server); err != nil {
			return f, err
		}
		f.count = time.Since(began).Seconds()
	}
	if u, err = server.Usage(); err != nil {
		return f, err
	}
	f.peak = max(f.peak, float64(u.PeakMemory))
	f.refused = server.Refused()
	return f, nil
}

// restart starts a server again and asks it about one series: shards may be
// opened only when somebody asks.
func restart(server *contest.Run, cage func() error) (s startUp, err error) {
	began := time.Now()
	took, err := server.Restart()
	if err != nil {
		return s, err
	}
	s.ready, s.answer = took.Seconds(), math.NaN()
	if err := cage(); err != nil {
		return s, err
	}
	if server.Entrant.Name != "victoria" {
		if _, err := server.Query("bench", "SELECT * FROM cpu WHERE hostname = 'host_1'"); err != nil {
			return s, err
		}
		s.answer = time.Since(began).Seconds()
	}
	u, err := server.Usage()
	s.cpu = u.CPU.Seconds()
	return s, err
}

// caches are the gauges of memory that has a budget of its own, whatever the
// number of series.
var caches = regexp.MustCompile(`^(tsm|data|coordinator|http|query)_(\w+_)?(memtable|cache|memo|pool)_bytes$`)

func budgeted(metrics map[string]float64) (sum float64) {
	for name, v := range metrics {
		if caches.MatchString(name) {
			sum += v
		}
	}
	return sum
}

var begin = time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)

// write sends one row of every series. Their tags are as those of TSBS's hosts;
// they are made as they are needed, since ten million would not fit beside the
// server.
func write(c config, server *contest.Run, row int) error {
	at := begin.Add(time.Duration(row) * 10 * time.Second).UnixNano()
	host := 0
	return server.Send(2, false, func(dst []byte) []byte {
		for n := 0; n < c.batch && host < c.series; n++ {
			dst = fmt.Appendf(dst, "cpu,hostname=host_%d,region=r%d,datacenter=r%d%c,rack=%d,os=Ubuntu16.%d,arch=x%d,team=t%d,service=%d,service_version=%d,service_environment=e%d",
				host, host%4, host%4, 'a'+host%3, host%100, host%3, host%2, host%5, host%20, host%7%2, host%11%3)
			for i, name := range harness.CPUFields[:c.fields] {
				dst = append(dst, " ,"[min(i, 1)])
				dst = append(dst, name...)
				dst = append(dst, '=')
				dst = strconv.AppendInt(dst, int64((host*(i+7)+row)%101), 10)
				dst = append(dst, 'i')
			}
			dst = append(dst, ' ')
			dst = strconv.AppendInt(dst, at, 10)
			dst = append(dst, '\n')
			host++
		}
		return dst
	})
}

// maxSelectSeries is the number of series that one SELECT may have.
const maxSelectSeries = 2_000_000

// check wants every row to be there. Where they are of too many series for one
// query it asks rack by rack.
func check(c config, server *contest.Run) error {
	parts := []string{""}
	if c.series > maxSelectSeries {
		parts = nil
		for rack := range 100 {
			parts = append(parts, fmt.Sprintf(" WHERE rack = '%d'", rack))
		}
	}
	got := 0.0
	for _, where := range parts {
		rows, err := server.Query("bench", "SELECT count("+harness.CPUFields[0]+") FROM cpu"+where)
		if err != nil {
			return err
		}
		if len(rows) != 1 {
			return fmt.Errorf("count%s gives %v", where, rows)
		}
		n, _ := rows[0][1].(float64)
		got += n
	}
	if want := float64(c.series * (c.rows + 1)); got != want {
		return fmt.Errorf("counts give %v, want %v", got, want)
	}
	return nil
}
