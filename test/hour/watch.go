package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/varvedb/varve/test/harness"
	"github.com/varvedb/varve/test/harness/contest"
)

// watch reads the server while it works.
type watch struct {
	server *contest.Run
	out    io.Writer
	rows   atomic.Int64 // sent
	began  time.Time
	before harness.Usage
	last   struct {
		at   time.Time
		rows int64
	}
	peakHeap, peakDebt, peakLog int64
	peakFiles                   int
}

// debt is the name of the gauge of bytes in files that wait to be merged.
const debt = "tsm_compaction_debt_bytes"

func (w *watch) head() {
	fmt.Fprintf(w.out, "%8s %10s %9s %9s %9s %9s %9s %10s %7s %9s %9s %7s\n",
		"time", "rows/s", "Mrows", "CPU ns/v", "mem MB", "heap MB", "disk MB", "written MB", "shards", "files/sh.", "debt MB", "log MB")
}

// line prints one reading.
func (w *watch) line() error {
	u, err := w.server.Usage()
	if err != nil {
		return err
	}
	m, err := w.server.Metrics()
	if err != nil {
		return err
	}
	f, err := readFiles(w.server)
	if err != nil {
		return err
	}
	now, rows := time.Now(), w.rows.Load()
	since := now.Sub(w.began)
	if !w.last.at.IsZero() {
		since = now.Sub(w.last.at)
	}
	owed := "-"
	if v, ok := m[debt]; ok {
		owed = fmt.Sprintf("%.0f", v/1e6)
		w.peakDebt = max(w.peakDebt, int64(v))
	}
	heap := int64(m["go_memstats_heap_inuse_bytes"])
	w.peakHeap, w.peakLog, w.peakFiles = max(w.peakHeap, heap), max(w.peakLog, f.log), max(w.peakFiles, f.most)
	fmt.Fprintf(w.out, "%8s %10.0f %9.1f %9.0f %9d %9d %9d %10d %7d %9s %9s %7d\n",
		now.Sub(w.began).Round(time.Second), float64(rows-w.last.rows)/since.Seconds(), float64(rows)/1e6,
		float64((u.CPU-w.before.CPU).Nanoseconds())/float64(max(1, rows)*10),
		u.Memory/1e6, heap/1e6, (f.segments+f.log+f.other)/1e6, (u.Written-w.before.Written)/1e6,
		f.shards, fmt.Sprintf("%.1f<=%d", f.mean(), f.most), owed, f.log/1e6)
	w.last.at, w.last.rows = now, rows
	return nil
}

// settle waits until the files do not change any more, and prints the sums.
// What is still written and worked after the last row is what was owed.
func (w *watch) settle(c config) error {
	const still = 20 * time.Second // longer than a shard waits for its last rewrite
	ended := time.Now()
	atEnd, err := w.server.Usage()
	if err != nil {
		return err
	}
	var last files
	lastChange := ended
	for time.Since(lastChange) < still {
		if time.Since(ended) > c.Settle {
			fmt.Fprintf(w.out, "not settled after %v\n", c.Settle)
			break
		}
		f, err := readFiles(w.server)
		if err != nil {
			return err
		}
		if f != last {
			last, lastChange = f, time.Now()
		}
		time.Sleep(time.Second)
	}
	if err := w.line(); err != nil {
		return err
	}
	u, err := w.server.Usage()
	if err != nil {
		return err
	}
	f, err := readFiles(w.server)
	if err != nil {
		return err
	}
	values := float64(10 * w.rows.Load())
	disk := float64(f.segments + f.log + f.other)
	written := float64(u.Written - w.before.Written)
	fmt.Fprintf(w.out, "\nvalues                                      %12.0f\n", values)
	fmt.Fprintf(w.out, "settled, B/value                            %12.3f\n", disk/values)
	fmt.Fprintf(w.out, "written by the process, B/value             %12.3f\n", written/values)
	fmt.Fprintf(w.out, "write amplification: written/settled        %12.2f\n", written/disk)
	fmt.Fprintf(w.out, "CPU until the last answer, ns/value         %12.0f\n", float64((atEnd.CPU-w.before.CPU).Nanoseconds())/values)
	fmt.Fprintf(w.out, "CPU settled, ns/value                       %12.0f\n", float64((u.CPU-w.before.CPU).Nanoseconds())/values)
	fmt.Fprintf(w.out, "owed at the last answer: s until at rest    %12.0f\n", lastChange.Sub(ended).Seconds())
	fmt.Fprintf(w.out, "  CPU s                                     %12.1f\n", (u.CPU - atEnd.CPU).Seconds())
	fmt.Fprintf(w.out, "  MB written                                %12.0f\n", float64(u.Written-atEnd.Written)/1e6)
	fmt.Fprintf(w.out, "  most of the server's own figure, MB       %12.0f\n", float64(w.peakDebt)/1e6)
	fmt.Fprintf(w.out, "shards                                      %12d\n", f.shards)
	fmt.Fprintf(w.out, "cold shards                                 %12d\n", f.cold)
	fmt.Fprintf(w.out, "files per cold shard, mean                  %12.2f\n", float64(f.coldFiles)/float64(max(1, f.cold)))
	fmt.Fprintf(w.out, "files per shard, most while writing         %12d\n", w.peakFiles)
	fmt.Fprintf(w.out, "memory, MB: peak                            %12.0f\n", float64(u.PeakMemory)/1e6)
	fmt.Fprintf(w.out, "  at rest                                   %12.0f\n", float64(u.Memory)/1e6)
	fmt.Fprintf(w.out, "  of which no file's                        %12.0f\n", float64(u.Anonymous)/1e6)
	fmt.Fprintf(w.out, "  most heap in use                          %12.0f\n", float64(w.peakHeap)/1e6)
	fmt.Fprintf(w.out, "most log, MB                                %12.0f\n", float64(w.peakLog)/1e6)
	fmt.Fprintf(w.out, "answers 5xx                                 %12d\n", w.server.Refused())
	return nil
}

// files is what lies under shards/.
type files struct {
	shards, segmentFiles, most int   // most: segment files of one shard
	cold, coldFiles            int   // shards without a log to speak of, and their segment files
	segments, log, other       int64 // bytes
}

// coldLog is more than a log without batches takes: a shard with less has all in
// files.
const coldLog = 64 << 10

func (f files) mean() float64 { return float64(f.segmentFiles) / float64(max(1, f.shards)) }

func readFiles(server *contest.Run) (f files, err error) {
	perShard, logs := map[string]int{}, map[string]int64{}
	for _, store := range server.Stores() {
		err := filepath.WalkDir(store, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, os.ErrNotExist) || err == nil && d.IsDir() {
				return nil // files come and go
			}
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return nil
			}
			dir := filepath.Dir(path)
			switch filepath.Ext(path) {
			case ".seg":
				f.segments += info.Size()
				f.segmentFiles++
				perShard[dir]++
				f.most = max(f.most, perShard[dir])
			case ".wal":
				f.log += info.Size()
				logs[filepath.Dir(dir)] += info.Size()
			default:
				f.other += info.Size()
			}
			if filepath.Base(path) == "CURRENT" {
				f.shards++
			}
			return nil
		})
		if err != nil {
			return f, err
		}
	}
	for dir, n := range perShard {
		if logs[dir] < coldLog {
			f.cold++
			f.coldFiles += n
		}
	}
	return f, nil
}
