package replica

import (
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

const (
	// measuredFor is how long a measured offset of a clock counts.
	measuredFor = 15 * time.Second
	// measuredWithin is the longest round trip that an offset is measured by.
	measuredWithin = time.Second
)

// measureLocked measures how far the clock of a node is off from ours, by a
// message that answers one of ours: it was made within that round trip. What
// counts is the logical clock, which stamps: it stays ahead for as long as a
// machine's clock was once ahead, also after that has been put right.
func (n *Node) measureLocked(now Time, p *peer, m *Message) {
	trip := now.Mono - m.Echo
	if m.Echo == 0 || trip < 0 || trip > measuredWithin {
		return
	}
	p.measured, p.offsetAt, p.exactness = true, now.Mono, trip/2+time.Millisecond
	own := n.mu.clock.Time().Add(now.Mono - n.mu.clockAt)
	p.offset = m.Clock.Time().Sub(own.Add(-trip / 2))
}

// ClockOff gives an error of kind model.ErrUnavailable when this node's clock is
// off by more than the fence from more than half of the nodes it hears: it must
// stamp nothing, and takes nothing first-hand.
func (n *Node) ClockOff(now Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.clockOffLocked(now)
}

func (n *Node) clockOffLocked(now Time) error {
	heard, off := 0, 0
	for _, p := range n.mu.peers {
		if !p.measured || now.Mono-p.offsetAt > measuredFor {
			continue
		}
		heard++
		if p.offset.Abs() > n.cfg.Fence+p.exactness {
			off++
		}
	}
	if 2*off > heard {
		return fmt.Errorf("clock is off by more than %v from %d of %d nodes: %w", n.cfg.Fence, off, heard, model.ErrUnavailable)
	}
	return nil
}

// Offset gives how far another node's clock was ahead of ours when it was last
// measured.
func (n *Node) Offset(node uint64) (d time.Duration, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.mu.peers[node]
	if p == nil || !p.measured {
		return 0, false
	}
	return p.offset, true
}
