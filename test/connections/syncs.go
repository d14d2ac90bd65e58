package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/varvedb/varve/test/harness/contest"
)

// countSyncs gives the syncs of logs so far, if the server counts them.
func countSyncs(server *contest.Run) (n float64, ok bool) {
	m, err := server.Metrics()
	if err != nil {
		return 0, false
	}
	n, ok = m["tsm_wal_syncs_total"]
	return n, ok
}

// traced matches a line of strace -c: share, seconds, microseconds a call, calls.
var traced = regexp.MustCompile(`(?m)^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(?:fsync|fdatasync|msync)$`)

// traceSyncs gives the syncs per second of a process, by strace. That slows the
// process down, so it is for a time of its own, after the measurement: a figure
// that is rather too low.
func traceSyncs(ctx context.Context, pid int, d time.Duration) (float64, error) {
	if d <= 0 {
		return 0, errors.New("not asked for")
	}
	ctx, cancel := context.WithTimeout(ctx, d+10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "timeout", "-s", "INT", fmt.Sprint(d.Seconds()),
		"strace", "-c", "-f", "-e", "trace=fsync,fdatasync,msync", "-p", strconv.Itoa(pid)).CombinedOutput()
	lines := traced.FindAllSubmatch(out, -1)
	if lines == nil {
		return 0, fmt.Errorf("strace: %w: %s", err, out)
	}
	calls := 0
	for _, l := range lines {
		n, _ := strconv.Atoi(string(l[1])) // digits
		calls += n
	}
	return float64(calls) / d.Seconds(), nil
}
