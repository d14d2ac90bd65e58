package sim

import "time"

// epoch is the wall clock's reading at virtual time 0 of a clock that is right.
var epoch = time.UnixMilli(1_700_000_000_000)

// clock is the wall clock of a machine, and its monotonic one, which runs at the
// same rate and does not jump.
type clock struct {
	q      *queue
	offset time.Duration
	rate   float64 // 1 is right

	// The monotonic clock's reading when the rate was last changed.
	from, base time.Duration
}

func (c *clock) mono() time.Duration {
	return c.base + time.Duration(float64(c.q.now-c.from)*c.rate)
}

func (c *clock) wall() time.Time { return epoch.Add(c.offset + c.mono()) }

// mend makes the clock right.
func (c *clock) mend() {
	c.base, c.from = c.mono(), c.q.now
	c.rate, c.offset = 1, c.q.now-c.base
}
