package function

// chandeSums is Chande's momentum oscillator: how far the rises of a period
// outweigh its falls, between -100 and 100.
type chandeSums struct {
	history
	seen     bool // any value
	up, down float64
}

func (c *chandeSums) add(v float64) float64 {
	change := 0.0
	if c.seen {
		change = v - c.last.value
	}
	if change > 0 {
		c.up += change
	} else if change < 0 {
		c.down -= change
	}
	c.seen = true
	result := 0.0
	if c.up != 0 || c.down != 0 {
		result = 100 * ((c.up - c.down) / (c.up + c.down))
	}
	// The sums are carried on and not made anew, so they lose the same digits as
	// InfluxDB's.
	if old := c.push(step{v, change}).change; old > 0 {
		c.up -= old
	} else if old < 0 {
		c.down += old
	}
	return result
}

func (c *chandeSums) lead() int { return c.size }
