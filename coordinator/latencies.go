package coordinator

import (
	"slices"
	"sync"
	"time"
)

// latencies remembers how long nodes took lately until they began to answer.
type latencies struct {
	mu    sync.Mutex
	nodes map[latencyOf]*samples
}

// latencyOf tells apart what takes differently long.
type latencyOf struct {
	node uint64
	scan bool // else a list or a schema
}

// samples is the last times, and what was made of them.
type samples struct {
	last   [128]time.Duration
	n      int // ever taken
	median time.Duration
	high   time.Duration // the 99th of a hundred
}

const (
	// enoughSamples is how many make a usual time.
	enoughSamples = 32
	// sortEvery is how many new samples count before they change what is usual.
	sortEvery = 16
)

func (l *latencies) add(of latencyOf, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.nodes[of]
	if s == nil {
		if l.nodes == nil {
			l.nodes = make(map[latencyOf]*samples)
		}
		s = new(samples)
		l.nodes[of] = s
	}
	s.last[s.n%len(s.last)] = took
	s.n++
	if s.n%sortEvery == 0 {
		sorted := slices.Clone(s.last[:min(s.n, len(s.last))])
		slices.Sort(sorted)
		s.median, s.high = sorted[len(sorted)/2], sorted[len(sorted)*99/100]
	}
}

// median gives the usual time of a node, 0 for one that is not known.
func (l *latencies) median(of latencyOf) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.nodes[of]; s != nil {
		return s.median
	}
	return 0
}

// high gives the time that 99 of 100 answers of a node begin within.
func (l *latencies) high(of latencyOf) (d time.Duration, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.nodes[of]; s != nil && s.n >= enoughSamples {
		return s.high, true
	}
	return 0, false
}
