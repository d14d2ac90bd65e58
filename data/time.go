package data

import (
	"fmt"
	"time"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/model"
)

// now gives the time for an event that may promise something. It fails when
// the clock's promise cannot be made durable.
func (n *Node) now() (replica.Time, error) {
	reading, err := n.clock.Now()
	if err != nil {
		return replica.Time{}, err
	}
	t := n.at(reading)
	n.latest.Store(&t)
	return t, nil
}

// lately gives a time that now gave, a moment ago: for those who must not wait
// for a disk.
func (n *Node) lately() replica.Time {
	if t := n.latest.Load(); t != nil {
		return n.at(t.HLC)
	}
	return n.at(0)
}

func (n *Node) at(reading model.HLC) replica.Time {
	return replica.Time{HLC: reading, Mono: time.Since(n.started)}
}

// observe raises the clock to a reading of another node. One that is further
// ahead of the machine's clock than the fence is refused: it would drag all
// clocks along, for good.
func (n *Node) observe(reading model.HLC) error {
	if limit := model.NewHLC(n.clock.Wall().Add(n.cfg.Replica.Fence)); reading > limit {
		return fmt.Errorf("clock of another node is %v ahead: %w", reading.Time().Sub(n.clock.Wall()), model.ErrUnavailable)
	}
	return n.clock.Observe(reading)
}

// ClockOff gives an error of kind model.ErrUnavailable when the clock of this
// node is off from those of most others by more than the fence: batches that it
// stamps would win, or lose, against those of others unduly.
func (n *Node) ClockOff() error { return n.core.ClockOff(n.lately()) }
