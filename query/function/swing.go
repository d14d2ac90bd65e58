package function

// swing is the averages of the rises and of the falls from value to value. The
// first value is a rise from 0.
type swing struct {
	up, down average
	last     float64
}

func newSwing(t Technical) swing {
	a := newWilder(t.Period, t.Warmup)
	return swing{up: a, down: a}
}

func (s *swing) move(v float64) (up, down float64) {
	if v > s.last {
		up = v - s.last
	} else if v < s.last {
		down = s.last - v
	}
	s.last = v
	return s.up.add(up), s.down.add(down)
}

func (s *swing) lead() int { return s.up.lead(1) }

// relativeStrength is Wilder's index.
type relativeStrength struct{ swing }

func (r *relativeStrength) add(v float64) float64 {
	up, down := r.move(v)
	return 100 - 100/(1+up/down)
}

// chandeAverages is Chande's oscillator smoothed as Wilder's index is.
type chandeAverages struct{ swing }

func (c *chandeAverages) add(v float64) float64 {
	up, down := c.move(v)
	return 100 * ((up - down) / (up + down))
}
