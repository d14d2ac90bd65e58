package tsm

import "strconv"

// census counts what the open shards of a node have.
type census struct {
	files [levels]int
	debt  int64
}

func (c *census) add(s *Shard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.debt += s.debtLocked()
	for _, f := range s.mu.files {
		c.files[f.infoLevel()]++
	}
}

// report sets the gauges.
func (c *census) report(m *Metrics) {
	for level, n := range c.files {
		m.Files.WithLabelValues(strconv.Itoa(level)).Set(float64(n))
	}
	m.DebtBytes.Set(float64(c.debt))
}
