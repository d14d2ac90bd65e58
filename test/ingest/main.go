// Command ingest measures what writing costs: the same points by the same
// clients to varved and to InfluxDB, one after the other in one run, each on an
// empty directory. It prints rows per second, the server's CPU time, its peak
// memory and the bytes on disk, and the ratios.
//
// The points are those of TSBS's "cpu-only": ten tags, ten integer fields that
// walk between 0 and 100, one row per host every ten seconds.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varvedb/varve/test/harness"
)

type config struct {
	varved, influxd string
	hosts, rows     int // rows per host
	batch, clients  int // lines to a request; requests at a time
	rounds          int
	settle          time.Duration
}

func main() {
	var c config
	flag.StringVar(&c.varved, "varved", "bin/varved", "the varved to measure")
	flag.StringVar(&c.influxd, "influxd", "", "the InfluxDB to measure beside it; none if empty")
	flag.IntVar(&c.hosts, "hosts", 1000, "number of series")
	flag.IntVar(&c.rows, "rows", 1000, "rows per series")
	flag.IntVar(&c.batch, "batch", 5000, "lines per request")
	flag.IntVar(&c.clients, "clients", 2, "requests at a time")
	flag.IntVar(&c.rounds, "rounds", 3, "runs of each server; the table has the medians")
	flag.DurationVar(&c.settle, "settle", 30*time.Second, "pause after the last write before the second reading")
	flag.Parse()
	if err := run(c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ingest:", err)
		os.Exit(1)
	}
}

// figures is what one run of one server gave.
type figures struct {
	rowsPerSecond float64
	cpu           time.Duration // until the last answer
	cpuSettled    time.Duration // and after the pause
	peakMemory    int64
	disk          int64 // until the last answer
	diskSettled   int64
}

type contender struct {
	name  string
	start func(dir string) (*harness.Process, error)
	store string // what to measure, below the directory
}

func run(c config, out io.Writer) error {
	contenders := []contender{{"varved", func(dir string) (*harness.Process, error) {
		return harness.Start(c.varved, dir)
	}, "shards"}}
	if c.influxd != "" {
		contenders = append(contenders, contender{"influxd", func(dir string) (*harness.Process, error) {
			return harness.StartInfluxDB(c.influxd, dir)
		}, "."})
	}
	results := make([][]figures, len(contenders))
	for range c.rounds {
		for i, k := range contenders {
			f, err := measure(c, k)
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			results[i] = append(results[i], f)
		}
	}
	values := float64(c.hosts) * float64(c.rows) * float64(len(harness.CPUFields))
	fmt.Fprintf(out, "%d rows of %d fields in %d series, %d clients, %d lines a request, medians of %d runs\n",
		c.hosts*c.rows, len(harness.CPUFields), c.hosts, c.clients, c.batch, c.rounds)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\trows/s\tCPU s\tCPU ns/value\tCPU s settled\tpeak MB\tbytes/value\tbytes/value settled\t")
	for i, k := range contenders {
		r := results[i]
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.0f\t%.2f\t%.0f\t%.3f\t%.3f\t\n", k.name,
			median(r, func(f figures) float64 { return f.rowsPerSecond }),
			median(r, func(f figures) float64 { return f.cpu.Seconds() }),
			median(r, func(f figures) float64 { return float64(f.cpu.Nanoseconds()) / values }),
			median(r, func(f figures) float64 { return f.cpuSettled.Seconds() }),
			median(r, func(f figures) float64 { return float64(f.peakMemory) / 1e6 }),
			median(r, func(f figures) float64 { return float64(f.disk) / values }),
			median(r, func(f figures) float64 { return float64(f.diskSettled) / values }))
	}
	if len(contenders) == 2 {
		ratio := func(of func(figures) float64) float64 { return median(results[0], of) / median(results[1], of) }
		fmt.Fprintf(w, "varved/influxd\t%.2f\t%.3f\t%.3f\t%.3f\t%.2f\t%.2f\t%.2f\t\n",
			ratio(func(f figures) float64 { return f.rowsPerSecond }),
			ratio(func(f figures) float64 { return f.cpu.Seconds() }),
			ratio(func(f figures) float64 { return f.cpu.Seconds() }),
			ratio(func(f figures) float64 { return f.cpuSettled.Seconds() }),
			ratio(func(f figures) float64 { return float64(f.peakMemory) }),
			ratio(func(f figures) float64 { return float64(f.disk) }),
			ratio(func(f figures) float64 { return float64(f.diskSettled) }))
	}
	return w.Flush()
}

func median(r []figures, of func(figures) float64) float64 {
	var v []float64
	for _, f := range r {
		v = append(v, of(f))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

func measure(c config, k contender) (f figures, err error) {
	dir, err := os.MkdirTemp("", "varve-ingest-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	server, err := k.start(dir)
	if err != nil {
		return f, err
	}
	defer server.Kill()
	if err := post(server.URL+"/query?q=CREATE+DATABASE+bench", nil, http.StatusOK); err != nil {
		return f, err
	}
	before, err := harness.ReadUsage(server.PID())
	if err != nil {
		return f, err
	}
	start := time.Now()
	if err := write(c, server.URL); err != nil {
		return f, err
	}
	took := time.Since(start)
	read := func() (u harness.Usage, disk int64, err error) {
		if u, err = harness.ReadUsage(server.PID()); err != nil {
			return u, 0, err
		}
		disk, err = harness.DirSize(filepath.Join(dir, k.store))
		return u, disk, err
	}
	u, disk, err := read()
	if err != nil {
		return f, err
	}
	f.rowsPerSecond = float64(c.hosts*c.rows) / took.Seconds()
	f.cpu, f.disk = u.CPU-before.CPU, disk
	time.Sleep(c.settle)
	if u, disk, err = read(); err != nil {
		return f, err
	}
	f.cpuSettled, f.diskSettled, f.peakMemory = u.CPU-before.CPU, disk, u.PeakMemory
	return f, server.Stop()
}

// write sends every point, with the given number of requests at a time.
func write(c config, url string) error {
	work, ctx := errgroup.WithContext(context.Background())
	bodies := make(chan []byte, c.clients)
	free := make(chan []byte, 2*c.clients)
	work.Go(func() error {
		defer close(bodies)
		g := harness.NewCPUOnly(c.hosts)
		for left := c.hosts * c.rows; left > 0; {
			n := min(left, c.batch)
			var body []byte
			select {
			case body = <-free:
			default:
			}
			body = g.AppendLines(body[:0], n)
			left -= n
			select {
			case bodies <- body:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range c.clients {
		work.Go(func() error {
			for body := range bodies {
				if err := post(url+"/write?db=bench", body, http.StatusNoContent); err != nil {
					return err
				}
				select {
				case free <- body:
				default: // enough are waiting
				}
			}
			return nil
		})
	}
	return work.Wait()
}

func post(url string, body []byte, want int) error {
	resp, err := http.Post(url, "text/plain", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != want {
		return fmt.Errorf("%s: %s: %s", url, resp.Status, said)
	}
	return nil
}
