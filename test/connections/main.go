// Command connections measures many clients that each write little: thousands
// of connections that send their next request when the last is answered. It
// prints the server's CPU time per request, requests and syncs per second, and
// how long answers take.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varvedb/varve/test/harness"
	"github.com/varvedb/varve/test/harness/contest"
)

type config struct {
	contest.Options
	connections int
	lines       []int // to a request, one table each
	warm        time.Duration
	duration    time.Duration
	trace       time.Duration
}

func main() {
	var c config
	c.Register("influxd", 3, 0)
	lines := flag.String("lines", "1,100", "lines of a request, by comma; a table for each")
	flag.IntVar(&c.connections, "connections", 2000, "connections that write at a time")
	flag.DurationVar(&c.warm, "warm", 5*time.Second, "time before the measurement")
	flag.DurationVar(&c.duration, "duration", 20*time.Second, "time of the measurement")
	flag.DurationVar(&c.trace, "trace", 3*time.Second, "time for which syncs are counted, by strace, where a server does not count them; 0 is not")
	flag.Parse()
	for text := range strings.SplitSeq(*lines, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			fmt.Fprintf(os.Stderr, "connections: %q lines of a request\n", text)
			os.Exit(2)
		}
		c.lines = append(c.lines, n)
	}
	if err := run(c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "connections:", err)
		os.Exit(1)
	}
}

func run(c config, out io.Writer) error {
	entrants := c.Entrants(out)
	for _, lines := range c.lines {
		table := contest.NewTable("requests/s|%.0f", "CPU us/request|%.0f", "CPU us/line|%.2f", "syncs/s|%.0f", "p50 ms|%.1f", "p99 ms|%.1f", "5xx/s|%.1f", "peak MB|%.0f")
		for range c.Rounds {
			for _, e := range entrants {
				figures, err := measure(c, lines, e)
				if err != nil {
					return fmt.Errorf("%s: %w", e.Name, err)
				}
				table.Add(e.Name, figures...)
			}
		}
		title := fmt.Sprintf("%d connections, %d lines of 10 fields a request, as fast as they are answered for %v, medians of %d rounds",
			c.connections, lines, c.duration, c.Rounds)
		if err := table.Print(out, title); err != nil {
			return err
		}
	}
	return nil
}

func measure(c config, lines int, e contest.Entrant) ([]float64, error) {
	server, err := e.Start()
	if err != nil {
		return nil, err
	}
	defer server.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var counting atomic.Bool
	var refused atomic.Int64
	took := make([][]float64, c.connections) // ms, of the answers that count
	clients, ctx := errgroup.WithContext(ctx)
	hosts := harness.NewCPUOnly(c.connections).Keys()
	for i := range took {
		clients.Go(func() error {
			conn, err := dial(server, hosts[i], lines, i, &refused)
			if err != nil {
				return err
			}
			defer conn.Close()
			for ctx.Err() == nil {
				began := time.Now()
				if err := conn.request(); err != nil {
					return err
				}
				if counting.Load() {
					took[i] = append(took[i], time.Since(began).Seconds()*1e3)
				}
			}
			return nil
		})
	}
	wait := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done(): // a client failed; Wait has the reason
		}
	}
	wait(c.warm)
	before, err := server.Usage()
	if err != nil {
		return nil, err
	}
	syncs, counted := countSyncs(server)
	refusedBefore, began := refused.Load(), time.Now()
	counting.Store(true)
	wait(c.duration)
	counting.Store(false)
	seconds := time.Since(began).Seconds()
	refusedPerSecond := float64(refused.Load()-refusedBefore) / seconds
	after, err := server.Usage()
	if err != nil {
		return nil, err
	}
	perSecond := math.NaN()
	if now, _ := countSyncs(server); counted {
		perSecond = (now - syncs) / seconds
	} else if n, err := traceSyncs(ctx, server.PID(), c.trace); err == nil {
		perSecond = n
	} else if c.trace > 0 {
		fmt.Fprintf(os.Stderr, "%s: syncs not counted: %v\n", e.Name, err)
	}
	stop()
	if err := clients.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	var all []float64
	for _, t := range took {
		all = append(all, t...)
	}
	requests := float64(len(all))
	cpu := (after.CPU - before.CPU).Seconds() * 1e6
	return []float64{
		requests / seconds, cpu / requests, cpu / requests / float64(lines), perSecond,
		contest.Quantile(all, 0.5), contest.Quantile(all, 0.99), refusedPerSecond, float64(after.PeakMemory) / 1e6,
	}, nil
}
