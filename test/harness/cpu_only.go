package harness

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// CPUFields are the fields of CPUOnly.
var CPUFields = []string{
	"usage_user", "usage_system", "usage_idle", "usage_nice", "usage_iowait",
	"usage_irq", "usage_softirq", "usage_steal", "usage_guest", "usage_guest_nice",
}

// CPUOnly makes the lines of TSBS's "cpu-only": for each time every host once.
type CPUOnly struct {
	// Fields is how many of CPUFields a row has: all, unless it is set lower
	// before the first line.
	Fields int
	// Step is the time between the rows of a host: ten seconds, unless it is set
	// before the first line.
	Step time.Duration
	// Split gives each field of a row a line of its own.
	Split bool

	rng    *rand.Rand
	keys   []string // "cpu,tag=…,…" per host
	values []float64
	host   int // the next line is of this host
	time   time.Time
}

// NewCPUOnly gives a generator whose first time is 2016-01-01. Two of them make
// the same lines.
func NewCPUOnly(hosts int) *CPUOnly {
	g := &CPUOnly{
		Fields: len(CPUFields),
		Step:   10 * time.Second,
		rng:    rand.New(rand.NewPCG(123, 0)),
		time:   time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for h := range hosts {
		region := []string{"eu-central-1", "us-west-2", "ap-southeast-2", "sa-east-1"}[g.rng.IntN(4)]
		g.keys = append(g.keys, fmt.Sprintf("cpu,hostname=host_%d,region=%s,datacenter=%s%c,rack=%d,os=%s,arch=%s,team=%s,service=%d,service_version=%d,service_environment=%s",
			h, region, region, 'a'+g.rng.IntN(3), g.rng.IntN(100),
			[]string{"Ubuntu16.10", "Ubuntu16.04LTS", "Ubuntu15.10"}[g.rng.IntN(3)],
			[]string{"x64", "x86"}[g.rng.IntN(2)], []string{"SF", "NYC", "LON", "CHI"}[g.rng.IntN(4)],
			g.rng.IntN(20), g.rng.IntN(2), []string{"production", "staging", "test"}[g.rng.IntN(3)]))
		for range CPUFields {
			g.values = append(g.values, 100*g.rng.Float64())
		}
	}
	return g
}

// Keys gives the keys of the hosts, as lines begin with them. They belong to g.
func (g *CPUOnly) Keys() []string { return g.keys }

// SetTime sets the time of the next row and of those of the hosts after it.
func (g *CPUOnly) SetTime(t time.Time) { g.time = t }

// AppendLines adds the lines of the next n rows.
func (g *CPUOnly) AppendLines(dst []byte, n int) []byte {
	for range n {
		for i, name := range CPUFields[:g.Fields] {
			v := &g.values[g.host*len(CPUFields)+i]
			*v = min(max(*v+g.rng.NormFloat64(), 0), 100)
			switch {
			case i == 0:
				dst = append(append(dst, g.keys[g.host]...), ' ')
			case g.Split:
				dst = append(g.appendTime(dst), g.keys[g.host]...)
				dst = append(dst, ' ')
			default:
				dst = append(dst, ',')
			}
			dst = append(dst, name...)
			dst = append(dst, '=')
			dst = strconv.AppendInt(dst, int64(*v), 10)
			dst = append(dst, 'i')
		}
		dst = g.appendTime(dst)
		if g.host++; g.host == len(g.keys) {
			g.host = 0
			g.time = g.time.Add(g.Step)
		}
	}
	return dst
}

// appendTime ends a line.
func (g *CPUOnly) appendTime(dst []byte) []byte {
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, g.time.UnixNano(), 10)
	return append(dst, '\n')
}
