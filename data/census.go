package data

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/varvedb/varve/internal/hll"
	"github.com/varvedb/varve/tsm"
)

// Census is how many series there are in the shards of a node that are open,
// and of what.
type Census struct {
	At        time.Time // the zero Time is that none was taken yet
	Took      time.Duration
	Databases []DatabaseCensus // by name
}

// DatabaseCensus is what a node has of one database.
type DatabaseCensus struct {
	Name         string
	Series       *hll.Sketch // of all shards, each series once
	Measurements int
	Shards       int   // that are open
	DiskBytes    int64 // of them
	// Largest is the measurements with the most series, the largest first, at
	// most largestMeasurements. A series counts once for each shard group; the
	// group with the most counts.
	Largest []MeasurementCensus
}

// MeasurementCensus is how many series a measurement has in one shard group.
type MeasurementCensus struct {
	Name   string
	Group  uint64
	Series int
}

const (
	largestMeasurements = 100
	// censusEvery is how often the shards are counted at most, and censusShare
	// the part of the time that this may take.
	censusEvery = time.Second
	censusShare = 50
	// censusWait is how long one who asks waits for a census, where none was taken
	// yet or the last one took no longer than censusQuick.
	censusWait  = time.Second
	censusQuick = 20 * time.Millisecond
	// censusKept is how many are kept, censusApart from each other, to say what
	// has grown.
	censusKept  = 13
	censusApart = 5 * time.Minute
)

// census is the last counts of a node.
type census struct {
	mu      sync.Mutex // protects all below
	last    *Census
	past    []*Census     // the oldest first
	running chan struct{} // closed when the count that runs is over; nil when none does
	closed  bool
}

// close has no count begin any more.
func (c *census) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// Census gives the last count. One that is older than a second, or than fifty
// times what it took, has another one begun, which is waited for where that
// will not be long.
func (n *Node) Census() Census {
	c := &n.census
	last, running := n.beginCensus(censusEvery)
	if running != nil && (last == nil || last.Took <= censusQuick) {
		select {
		case <-running:
		case <-time.After(censusWait):
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		return Census{}
	}
	return *c.last
}

// beginCensus begins a count when the last one is old. It gives that one, nil
// when there is none, and what is closed when the count that runs is over.
func (n *Node) beginCensus(old time.Duration) (last *Census, running chan struct{}) {
	c := &n.census
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil && !c.closed && (c.last == nil || time.Since(c.last.At) >= max(old, censusShare*c.last.Took)) {
		over := make(chan struct{})
		c.running = over
		n.done.Go(func() { n.takeCensus(over) })
	}
	return c.last, c.running
}

// Past gives the oldest census that is kept, of an hour ago where the node has
// run for so long; the zero Census where there is none.
func (n *Node) Past() Census {
	n.census.mu.Lock()
	defer n.census.mu.Unlock()
	if len(n.census.past) == 0 {
		return Census{}
	}
	return *n.census.past[0]
}

// takeCensus counts, and closes over.
func (n *Node) takeCensus(over chan struct{}) {
	defer close(over)
	taken := n.count()
	c := &n.census
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = nil
	c.last = taken
	if k := len(c.past); k == 0 || taken.At.Sub(c.past[k-1].At) >= censusApart {
		c.past = append(c.past, taken)
		c.past = c.past[max(0, len(c.past)-censusKept):]
	}
}

// count looks at all shards that are open.
func (n *Node) count() *Census {
	out := &Census{At: time.Now()}
	type count struct {
		DatabaseCensus
		names  map[string]bool
		groups map[uint64]map[string]int // series by shard group and measurement
	}
	counts := map[string]*count{}
	snapshot := n.follow()
	for _, d := range snapshot.Databases() {
		c := &count{names: map[string]bool{}, groups: map[uint64]map[string]int{}}
		c.Name, c.Series = d.Name, new(hll.Sketch)
		counts[d.Name] = c
	}
	for h, shard := range n.shards.useOpen() {
		if g, _ := snapshot.Shard(h.id); g != nil && g.Live() && !n.stopping.Load() {
			if d, _ := snapshot.Policy(g.Policy); d != nil {
				c := counts[d.Name]
				c.Shards++
				c.DiskBytes += shard.Info().DiskBytes
				if c.groups[g.ID] == nil {
					c.groups[g.ID] = map[string]int{}
				}
				eachMeasurement(shard, func(measurement string, r *tsm.Reader, series []uint32) error {
					hashes, err := r.Hashes(series)
					if err != nil {
						return err
					}
					for _, hash := range hashes {
						c.Series.Add(hash.Lo)
					}
					c.names[measurement] = true
					c.groups[g.ID][measurement] += len(series)
					return nil
				})
			}
		}
		n.release(h)
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		c := counts[name]
		c.Measurements = len(c.names)
		c.Largest = largest(c.groups)
		out.Databases = append(out.Databases, c.DatabaseCensus)
	}
	out.Took = time.Since(out.At)
	return out
}

// eachMeasurement gives the series of each measurement of a shard. One that
// cannot be read is left out: who reads it is told.
func eachMeasurement(shard *tsm.Shard, each func(measurement string, r *tsm.Reader, series []uint32) error) {
	r, err := shard.Reader()
	if err != nil {
		return
	}
	defer r.Close() //nolint:errcheck // nothing was written
	for _, m := range r.Measurements() {
		series, err := r.Series(m, nil)
		if err == nil && len(series) > 0 {
			err = each(m, r, series)
		}
		if err != nil {
			return
		}
	}
}

// largest gives the measurements with the most series in one group.
func largest(groups map[uint64]map[string]int) []MeasurementCensus {
	most := map[string]MeasurementCensus{}
	for group, counts := range groups {
		for name, n := range counts {
			if n > most[name].Series {
				most[name] = MeasurementCensus{Name: name, Group: group, Series: n}
			}
		}
	}
	all := slices.SortedFunc(maps.Values(most), func(a, b MeasurementCensus) int {
		return cmp.Or(cmp.Compare(b.Series, a.Series), strings.Compare(a.Name, b.Name))
	})
	return slices.Clone(all[:min(len(all), largestMeasurements)])
}
