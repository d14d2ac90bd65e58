package harness

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Metrics reads /metrics: values by name and labels, as they are written there.
func (p *Process) Metrics() (map[string]float64, error) {
	resp, err := http.Get(p.URL + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/metrics: %s", resp.Status)
	}
	values := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && name != "#" {
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				values[name] = v
			}
		}
	}
	return values, lines.Err()
}

// forcedCollection is how long the Go runtime lets garbage lie when nothing
// happens, and some more.
const forcedCollection = 150 * time.Second

// LiveHeap waits for the next garbage collection of a server that is a Go program
// with Prometheus's metrics, and gives the bytes on its heap right after. At rest
// the runtime collects every two minutes.
func (p *Process) LiveHeap() (int64, error) {
	const collected, live = "go_memstats_last_gc_time_seconds", "go_memstats_heap_alloc_bytes"
	first, err := p.Metrics()
	if err != nil {
		return 0, err
	}
	for end := time.Now().Add(forcedCollection); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		m, err := p.Metrics()
		if err != nil {
			return 0, err
		}
		if m[collected] != first[collected] {
			return int64(m[live]), nil
		}
	}
	return 0, fmt.Errorf("no garbage collection in %v", forcedCollection)
}
