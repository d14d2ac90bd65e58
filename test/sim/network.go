package sim

import (
	"math/rand/v2"
	"time"
)

// network carries messages between machines, and between them and the metadata
// store, which is machine 0. Messages may be late, lost, doubled and overtake
// one another.
type network struct {
	w    *world
	rng  *rand.Rand
	shut [maxMachines + 1][maxMachines + 1]time.Duration // from -> to: no message gets through before this time
	// The faults of every message.
	loss, double float64
	delay        time.Duration // most are faster
	straggle     float64       // the part that takes up to straggleDelay
}

const (
	metaMachine   = 0
	maxMachines   = 8
	straggleDelay = 3 * time.Second
)

// open reports whether messages get through from one machine to another.
func (n *network) open(from, to int) bool { return from == to || n.w.now >= n.shut[from][to] }

// send runs deliver at the other end, once, not at all, or twice.
func (n *network) send(from, to int, deliver func()) {
	if from == to {
		n.w.after(time.Duration(n.rng.IntN(1000))*time.Microsecond, deliver)
		return
	}
	if !n.open(from, to) || n.rng.Float64() < n.loss {
		return
	}
	copies := 1
	if n.rng.Float64() < n.double {
		copies = 2
	}
	for range copies {
		n.w.after(n.latency(), func() {
			// A cut also ends what is on the way.
			if n.open(from, to) {
				deliver()
			}
		})
	}
}

func (n *network) latency() time.Duration {
	if n.rng.Float64() < n.straggle {
		return time.Duration(n.rng.Int64N(int64(straggleDelay)))
	}
	return time.Duration(1 + n.rng.Int64N(int64(n.delay)))
}

// cut closes the links for which f holds for d.
func (n *network) cut(d time.Duration, f func(from, to int) bool) {
	for from := range n.shut {
		for to := range n.shut[from] {
			if from != to && f(from, to) {
				n.shut[from][to] = max(n.shut[from][to], n.w.now+d)
			}
		}
	}
}

// heal ends all faults.
func (n *network) heal() {
	n.loss, n.double, n.straggle = 0, 0, 0
	n.delay = min(n.delay, 20*time.Millisecond)
	n.shut = [maxMachines + 1][maxMachines + 1]time.Duration{}
}
