package model

// Minus gives the ids of s that are not in o.
func (s *BatchSet) Minus(o *BatchSet) *BatchSet {
	out := &BatchSet{}
	for k, ivs := range s.epochs {
		for _, left := range cut(ivs, o.epochs[k]) {
			out.addInterval(k, left)
		}
	}
	return out
}

// cut gives what is in a and not in b.
func cut(a, b []interval) []interval {
	var out []interval
	for _, iv := range a {
		for len(b) > 0 && b[0].last < iv.first {
			b = b[1:]
		}
		rest := b
		for ; len(rest) > 0 && rest[0].first <= iv.last; rest = rest[1:] {
			if iv.first < rest[0].first {
				out = append(out, interval{iv.first, rest[0].first - 1})
			}
			iv.first = rest[0].last + 1
			if iv.first == 0 || iv.first > iv.last { // 0: the last counter there is
				iv.first, iv.last = 1, 0
				break
			}
		}
		if iv.first <= iv.last {
			out = append(out, iv)
		}
	}
	return out
}

// Intersect gives the ids that are both in s and in o.
func (s *BatchSet) Intersect(o *BatchSet) *BatchSet { return s.Minus(s.Minus(o)) }

// ContainsAll reports whether all ids of o are in s.
func (s *BatchSet) ContainsAll(o *BatchSet) bool {
	for k, ivs := range o.epochs {
		if len(cut(ivs, s.epochs[k])) > 0 {
			return false
		}
	}
	return true
}

// Len gives the number of ids.
func (s *BatchSet) Len() uint64 {
	n := uint64(0)
	for _, ivs := range s.epochs {
		for _, iv := range ivs {
			n += iv.last - iv.first + 1
		}
	}
	return n
}

// Intervals gives the number of intervals, which is what the set costs.
func (s *BatchSet) Intervals() int {
	n := 0
	for _, ivs := range s.epochs {
		n += len(ivs)
	}
	return n
}

// All calls yield with every id, in no order, until it returns false.
func (s *BatchSet) All(yield func(BatchID) bool) {
	for k, ivs := range s.epochs {
		for _, iv := range ivs {
			for seq := iv.first; ; seq++ {
				if !yield(BatchID{Origin: k.origin, Epoch: k.epoch, Seq: seq}) {
					return
				}
				if seq == iv.last {
					break
				}
			}
		}
	}
}

// Remove takes an id out of s.
func (s *BatchSet) Remove(id BatchID) {
	k := epochKey{id.Origin, id.Epoch}
	ivs := cut(s.epochs[k], []interval{{id.Seq, id.Seq}})
	if len(ivs) == 0 {
		delete(s.epochs, k)
		return
	}
	s.epochs[k] = ivs
}
