// Command hour writes to varved as fast as it takes it, for an hour or as long
// as is asked: to shards that fill up one after the other, and all the time some
// rows to one hot shard. Meanwhile and at the end it prints memory, what was
// written to disk for each byte that stays, how much merging is owed, and the
// files of the shards.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/varvedb/varve/test/harness"
	"github.com/varvedb/varve/test/harness/contest"
)

type config struct {
	contest.Options
	duration, every time.Duration
	hosts, rate     int
	shard           time.Duration
	memoryLimit     string
}

func main() {
	var c config
	c.Register("", 1, 10*time.Minute)
	flag.DurationVar(&c.duration, "duration", time.Hour, "how long to write")
	flag.DurationVar(&c.every, "every", 0, "time between the lines of the table; 0 is a twentieth of the duration")
	flag.IntVar(&c.hosts, "hosts", 1000, "hosts")
	flag.IntVar(&c.rate, "rate", 0, "most rows a second; 0 is as fast as they are taken")
	flag.DurationVar(&c.shard, "shard", 24*time.Hour, "time range of a shard")
	flag.StringVar(&c.memoryLimit, "memory-limit", "", "varved's --memory-limit")
	flag.Parse()
	if c.every == 0 {
		c.every = c.duration / 20
	}
	if err := run(c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "hour:", err)
		os.Exit(1)
	}
}

func run(c config, out io.Writer) error {
	var flags []string
	if c.memoryLimit != "" {
		flags = append(flags, "--memory-limit", c.memoryLimit)
	}
	server, err := c.Entrants(out)[0].Start(flags...)
	if err != nil {
		return err
	}
	defer server.Close()
	if _, err := server.Query("bench", fmt.Sprintf("ALTER RETENTION POLICY autogen ON bench SHARD DURATION %.0fh", c.shard.Hours())); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d hosts, rows of 10 fields ten seconds apart in shards of %v, every tenth request to a hot shard, for %v\n", c.hosts, c.shard, c.duration)
	w := &watch{server: server, out: out, began: time.Now()}
	if w.before, err = server.Usage(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- load(c, server, &w.rows) }()
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	w.head()
	for writing := true; writing; {
		select {
		case err = <-done:
			writing = false
		case <-tick.C:
		}
		if err != nil {
			return err
		}
		if err := w.line(); err != nil {
			return err
		}
	}
	return w.settle(c)
}

// load writes until the time is over, nine requests to shards one after the
// other and the tenth to the hot one.
func load(c config, server *contest.Run, rows *atomic.Int64) error {
	const lines = 5000
	began := time.Now()
	passing, hot := harness.NewCPUOnly(c.hosts), harness.NewCPUOnly(c.hosts)
	hot.SetTime(began)
	hot.Step = 10 * time.Millisecond // so that it stays hot for hours
	n := 0
	return server.Send(2, false, func(dst []byte) []byte {
		if time.Since(began) > c.duration {
			return dst
		}
		if c.rate > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(float64(rows.Load()) / float64(c.rate) * float64(time.Second)))))
		}
		rows.Add(lines)
		if n++; n%10 == 0 {
			return hot.AppendLines(dst, lines)
		}
		return passing.AppendLines(dst, lines)
	})
}
