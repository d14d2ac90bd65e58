// Package contest measures servers beside each other: the same work for each,
// one after the other in one run, each on a directory of its own, so that what
// the machine is and what else it does falls on all of them.
package contest

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/varvedb/varve/test/harness"
)

// Entrant is a server that takes part. The first of a contest is varved.
type Entrant struct {
	Name string
	// NumbersOnly: it stores neither strings nor booleans as such.
	NumbersOnly bool

	start  func(dir string, flags ...string) (*harness.Process, error)
	stores []string // below the directory: what it keeps data in
}

// Options are what every measurement is told on the command line.
type Options struct {
	Varved, Influxd, Victoria string // binaries
	Peers                     string
	Rounds                    int
	Settle                    time.Duration
}

// Register adds the flags of o to the command line, with these defaults.
func (o *Options) Register(peers string, rounds int, settle time.Duration) {
	flag.StringVar(&o.Varved, "varved", "bin/varved", "the varved to measure")
	flag.StringVar(&o.Influxd, "influxd", "bin/influxd", "the InfluxDB 1.8 to measure beside it")
	flag.StringVar(&o.Victoria, "victoria", "victoria-metrics", "the VictoriaMetrics to measure beside it")
	flag.StringVar(&o.Peers, "peers", peers, "which of influxd and victoria take part, by comma; none if empty")
	flag.IntVar(&o.Rounds, "rounds", rounds, "runs of each server; tables have the medians")
	flag.DurationVar(&o.Settle, "settle", settle, "pause after the last write before the last reading")
}

// Entrants gives varved and the peers that were asked for. A peer that is not
// there is left out, and out is told why.
func (o *Options) Entrants(out io.Writer) []Entrant {
	all := []Entrant{{
		Name: "varved",
		start: func(dir string, flags ...string) (*harness.Process, error) {
			return harness.Start(o.Varved, dir, flags...)
		},
		stores: []string{"shards"},
	}}
	asked := strings.Split(o.Peers, ",")
	add := func(e Entrant, binary, hint string) {
		if !slices.Contains(asked, e.Name) {
			return
		}
		if _, err := exec.LookPath(binary); err != nil {
			fmt.Fprintf(out, "without %s: %v: %s\n", e.Name, err, hint)
			return
		}
		all = append(all, e)
	}
	add(Entrant{
		Name:   "influxd",
		start:  func(dir string, _ ...string) (*harness.Process, error) { return harness.StartInfluxDB(o.Influxd, dir) },
		stores: []string{"data", "wal"},
	}, o.Influxd, "make bin/influxd builds it, with a C compiler")
	add(Entrant{
		Name:        "victoria",
		NumbersOnly: true,
		start: func(dir string, _ ...string) (*harness.Process, error) {
			return harness.StartVictoriaMetrics(o.Victoria, dir)
		},
		stores: []string{"data", "indexdb"},
	}, o.Victoria, "Debian's package victoria-metrics has it")
	return all
}

// Run is one server at work on a directory that is removed with it.
type Run struct {
	*harness.Process
	Entrant Entrant
	dir     string
	flags   []string
	refused atomic.Int64
}

// Start starts the server on an empty directory, with a database called bench.
// The flags are for varved; others do not get them.
func (e Entrant) Start(flags ...string) (*Run, error) {
	dir, err := os.MkdirTemp("", "varve-bench-")
	if err != nil {
		return nil, err
	}
	r := &Run{Entrant: e, dir: dir, flags: flags}
	if r.Process, err = e.start(dir, flags...); err == nil && !e.prometheus() {
		if _, err = r.Query("", "CREATE DATABASE bench"); err != nil {
			r.Kill()
		}
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	return r, nil
}

// prometheus: it knows no databases and no InfluxQL.
func (e Entrant) prometheus() bool { return e.Name == "victoria" }

// Close ends the server, however it is, and removes its directory.
func (r *Run) Close() {
	r.Kill()
	os.RemoveAll(r.dir)
}

// Restart starts the server again on what it has, after it was stopped or
// killed, and gives how long it took until it answered.
func (r *Run) Restart() (time.Duration, error) {
	began := time.Now()
	p, err := r.Entrant.start(r.dir, r.flags...)
	if err != nil {
		return 0, fmt.Errorf("%s: start again: %w", r.Entrant.Name, err)
	}
	r.Process = p
	return time.Since(began), nil
}

// Usage reads what the process has used.
func (r *Run) Usage() (harness.Usage, error) { return harness.ReadUsage(r.PID()) }

// Stores gives the directories that the data are in.
func (r *Run) Stores() []string {
	var dirs []string
	for _, s := range r.Entrant.stores {
		dirs = append(dirs, filepath.Join(r.dir, s))
	}
	return dirs
}

// Disk gives the bytes of the files with data: for varved what lies under
// shards/, for InfluxDB data/ and wal/, for VictoriaMetrics data/ and indexdb/.
func (r *Run) Disk() (int64, error) {
	var sum int64
	for _, dir := range r.Stores() {
		n, err := harness.DirSize(dir)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
