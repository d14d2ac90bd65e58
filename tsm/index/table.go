package index

import "github.com/varvedb/varve/model"

// table finds ids by hash: open addressing with linear probing over ids, the
// hashes being kept once, by id. With at most three quarters of the slots taken
// that is 16 + 5..11 bytes a series.
type table struct {
	slots  []uint32 // id+1, or 0 for a free slot; the length is a power of two
	hashes []model.SeriesHash
}

func (t *table) find(h model.SeriesHash) (uint32, bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	mask := uint64(len(t.slots) - 1)
	for i := h.Lo & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s == 0 {
			return 0, false
		}
		if t.hashes[s-1] == h {
			return s - 1, true
		}
	}
}

// insert gives h, which is not in t, the next id.
func (t *table) insert(h model.SeriesHash) {
	t.hashes = append(t.hashes, h)
	if len(t.hashes)*4 > len(t.slots)*3 {
		t.slots = make([]uint32, max(64, 2*len(t.slots)))
		for id := range t.hashes {
			t.place(uint32(id))
		}
		return
	}
	t.place(uint32(len(t.hashes) - 1))
}

func (t *table) place(id uint32) {
	mask := uint64(len(t.slots) - 1)
	i := t.hashes[id].Lo & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = id + 1
}
