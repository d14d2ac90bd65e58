package wal

import "github.com/varvedb/varve/model"

// hashSet is a set of series: an open table, at most three quarters full. Every
// series of every batch is looked up in it, and the hash of a key is as random
// as what a map would make of it.
type hashSet struct {
	slots []model.SeriesHash // of 2^n; the zero hash stands for an empty slot
	n     int
	zero  bool // the zero hash is in the set
}

const minHashSetSlots = 64

func (s *hashSet) has(h model.SeriesHash) bool {
	if h == (model.SeriesHash{}) {
		return s.zero
	}
	if len(s.slots) == 0 {
		return false
	}
	return s.slots[s.find(h)] == h
}

func (s *hashSet) add(h model.SeriesHash) {
	if h == (model.SeriesHash{}) {
		s.zero = true
		return
	}
	if 4*(s.n+1) > 3*len(s.slots) {
		s.grow()
	}
	if at := s.find(h); s.slots[at] != h {
		s.slots[at] = h
		s.n++
	}
}

// len gives the number of hashes, not counting the zero hash.
func (s *hashSet) len() int { return s.n }

// find gives the slot of h, or the empty one where it belongs.
func (s *hashSet) find(h model.SeriesHash) uint64 {
	mask := uint64(len(s.slots) - 1)
	at := h.Lo & mask
	for s.slots[at] != h && s.slots[at] != (model.SeriesHash{}) {
		at = (at + 1) & mask
	}
	return at
}

func (s *hashSet) grow() {
	old := s.slots
	s.slots = make([]model.SeriesHash, max(minHashSetSlots, 2*len(old)))
	for _, h := range old {
		if h != (model.SeriesHash{}) {
			s.slots[s.find(h)] = h
		}
	}
}
