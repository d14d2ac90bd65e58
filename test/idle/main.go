// Command idle measures what shards cost that are not written to: it makes many,
// starts the server again, cleanly and after a kill, and reads the time until it
// answers, its heap, and the files that it has open: at rest, and after a query
// that needed all shards.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/varvedb/varve/test/harness"
	"github.com/varvedb/varve/test/harness/contest"
)

type config struct {
	contest.Options
	shards, series int
}

func main() {
	var c config
	c.Register("influxd", 1, 30*time.Second)
	flag.IntVar(&c.shards, "shards", 1000, "shards of an hour")
	flag.IntVar(&c.series, "series", 10, "series in each, with a row each")
	flag.Parse()
	if err := run(c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "idle:", err)
		os.Exit(1)
	}
}

func run(c config, out io.Writer) error {
	entrants := c.Entrants(out)
	table := contest.NewTable("start s|%.2f", "CPU s|%.2f", "after kill s|%.2f", "KB/shard|%.1f", "idle CPU ms/s|%.1f",
		"heap MB|%.1f", "memory MB|%.0f", "no file's|%.0f", "open|%.0f", "mapped|%.0f",
		"queried: heap|%.1f", "no file's|%.0f", "open|%.0f", "mapped|%.0f")
	for range c.Rounds {
		for _, e := range entrants {
			figures, err := measure(c, e)
			if err != nil {
				return fmt.Errorf("%s: %w", e.Name, err)
			}
			table.Add(e.Name, figures...)
		}
	}
	return table.Print(out, fmt.Sprintf("%d shards of %d series without writes, medians of %d rounds", c.shards, c.series, c.Rounds))
}

func measure(c config, e contest.Entrant) ([]float64, error) {
	server, err := e.Start()
	if err != nil {
		return nil, err
	}
	defer func() { server.Close() }()
	if _, err := server.Query("bench", "ALTER RETENTION POLICY autogen ON bench SHARD DURATION 1h"); err != nil {
		return nil, err
	}
	if err := write(c, server); err != nil {
		return nil, err
	}
	time.Sleep(c.Settle)
	disk, err := server.Disk()
	if err != nil {
		return nil, err
	}
	if err := server.Stop(); err != nil {
		return nil, err
	}
	clean, err := server.Restart()
	if err != nil {
		return nil, err
	}
	started, err := server.Usage()
	if err != nil {
		return nil, err
	}
	server.Kill()
	killed, err := server.Restart()
	if err != nil {
		return nil, err
	}
	time.Sleep(c.Settle)
	before, err := server.Usage()
	if err != nil {
		return nil, err
	}
	const pause = 10 * time.Second
	time.Sleep(pause)
	after, err := server.Usage()
	if err != nil {
		return nil, err
	}
	rest, err := look(server)
	if err != nil {
		return nil, err
	}
	if err := check(c, server); err != nil {
		return nil, err
	}
	queried, err := look(server)
	if err != nil {
		return nil, err
	}
	return []float64{
		clean.Seconds(), started.CPU.Seconds(), killed.Seconds(), float64(disk) / 1e3 / float64(c.shards),
		float64((after.CPU - before.CPU).Milliseconds()) / pause.Seconds(),
		rest.heap, float64(after.Memory) / 1e6, rest.anonymous, rest.open, rest.mapped,
		queried.heap, queried.anonymous, queried.open, queried.mapped,
	}, nil
}

// held is what a server holds on to: memory in MB, and files.
type held struct{ heap, anonymous, open, mapped float64 }

func look(server *contest.Run) (h held, err error) {
	heap, err := server.LiveHeap()
	if err != nil {
		return h, err
	}
	u, err := server.Usage()
	if err != nil {
		return h, err
	}
	open, mapped, err := harness.OpenFiles(server.PID())
	return held{float64(heap) / 1e6, float64(u.Anonymous) / 1e6, float64(open), float64(mapped)}, err
}

// write gives each shard its rows, some shards to a request.
func write(c config, server *contest.Run) error {
	begin := time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)
	hosts := harness.NewCPUOnly(c.series).Keys()
	shard := 0
	return server.Send(1, false, func(dst []byte) []byte {
		for n := 0; n < 50 && shard < c.shards; n++ {
			for _, host := range hosts {
				dst = append(dst, host...)
				dst = append(dst, " usage_user="...)
				dst = strconv.AppendInt(dst, int64(shard%101), 10)
				dst = append(dst, "i "...)
				dst = strconv.AppendInt(dst, begin.Add(time.Duration(shard)*time.Hour).UnixNano(), 10)
				dst = append(dst, '\n')
			}
			shard++
		}
		return dst
	})
}

// check wants every row to be there.
func check(c config, server *contest.Run) error {
	rows, err := server.Query("bench", "SELECT count(usage_user) FROM cpu")
	if err != nil {
		return err
	}
	if want := float64(c.shards * c.series); len(rows) != 1 || rows[0][1] != want {
		return fmt.Errorf("count gives %v, want %v", rows, want)
	}
	return nil
}
