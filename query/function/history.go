package function

// step is a value and by how much it differed from the one before.
type step struct{ value, change float64 }

// history is the last steps of a period. It grows as they come, so that a long
// period costs nothing by itself.
type history struct {
	size int
	ring []step
	at   int // of the oldest, once the ring is full
	last step
}

// oldest gives the step that was pushed size steps before the next one; zero
// if there was none.
func (h *history) oldest() step {
	if len(h.ring) < h.size {
		return step{}
	}
	return h.ring[h.at]
}

// push adds a step and gives the oldest, which is s itself when size is 0.
func (h *history) push(s step) step {
	h.last = s
	switch {
	case h.size == 0:
		return s
	case len(h.ring) < h.size:
		h.ring = append(h.ring, s)
		return step{}
	}
	old := h.ring[h.at]
	h.ring[h.at] = s
	h.at = (h.at + 1) % len(h.ring)
	return old
}
