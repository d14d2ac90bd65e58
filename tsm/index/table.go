package index

import "github.com/varvedb/varve/model"

// table finds ids by hash: open addressing with linear probing. A slot is 0 or
// has the number of a series plus one in its lower bits, as many as the length
// of slots has, and bits of the hash in the others: a hash that is not there is
// seldom looked for beyond its slot. With at most three quarters of the slots
// taken that is 16 + 5..11 bytes a series. A file has the same in its parts.
type table struct {
	slots  []uint32 // the length is a power of two, or 0
	hashes []model.SeriesHash
}

// lookupBatch is how many series are looked for together. Their slots are read
// before any of the hashes, so that the processor waits for memory once for
// many series and not once for each.
const lookupBatch = 64

func (t *table) find(h model.SeriesHash) (uint32, bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	mask := uint32(len(t.slots) - 1)
	return t.probe(h, uint32(h.Lo)&mask)
}

// probe looks from slot i on.
func (t *table) probe(h model.SeriesHash, i uint32) (uint32, bool) {
	mask := uint32(len(t.slots) - 1)
	for ; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s == 0 {
			return 0, false
		}
		if (s^uint32(h.Lo>>32))&^mask == 0 && t.hashes[s&mask-1] == h {
			return s&mask - 1, true
		}
	}
}

// findAll replaces those ids that are Unknown by first and the number of the
// series, where t has it, and gives how many are still unknown.
func (t *table) findAll(ids []uint32, series []model.Series, first uint32) (unknown int) {
	if len(t.slots) == 0 {
		for _, id := range ids {
			if id == Unknown {
				unknown++
			}
		}
		return unknown
	}
	mask := uint32(len(t.slots) - 1)
	var slots [lookupBatch]uint32
	for len(series) > 0 {
		n := min(len(series), lookupBatch)
		for i := range n {
			slots[i] = t.slots[uint32(series[i].Hash.Lo)&mask]
		}
		for i := range n {
			if ids[i] != Unknown {
				continue
			}
			h, s := series[i].Hash, slots[i]
			if s != 0 && (s^uint32(h.Lo>>32))&^mask == 0 && t.hashes[s&mask-1] == h {
				ids[i] = first + s&mask - 1
				continue
			}
			at, ok := uint32(0), false
			if s != 0 {
				at, ok = t.probe(h, (uint32(h.Lo)+1)&mask)
			}
			if ok {
				ids[i] = first + at
			} else {
				unknown++
			}
		}
		ids, series = ids[n:], series[n:]
	}
	return unknown
}

// insert gives h, which is not in t, the next number.
func (t *table) insert(h model.SeriesHash) {
	t.hashes = append(t.hashes, h)
	if len(t.hashes)*4 > len(t.slots)*3 {
		t.slots = makeSlots(t.hashes, max(64, 2*len(t.slots)))
		return
	}
	place(t.slots, h, uint32(len(t.hashes)-1))
}

// slotCount gives how many slots a file has for n series.
func slotCount(n int) int {
	size := 4
	for size*3 < n*4 {
		size *= 2
	}
	return size
}

func makeSlots(hashes []model.SeriesHash, size int) []uint32 {
	slots := make([]uint32, size)
	for n, h := range hashes {
		place(slots, h, uint32(n))
	}
	return slots
}

func place(slots []uint32, h model.SeriesHash, n uint32) {
	mask := uint32(len(slots) - 1)
	i := uint32(h.Lo) & mask
	for slots[i] != 0 {
		i = (i + 1) & mask
	}
	slots[i] = uint32(h.Lo>>32)&^mask | (n + 1)
}

// valid reports whether the slots are such that no look-up goes astray: they
// name series of t, and leave room for it to end.
func (t *table) valid() bool {
	if len(t.slots) != slotCount(len(t.hashes)) {
		return false
	}
	mask := uint32(len(t.slots) - 1)
	taken := 0
	for _, s := range t.slots {
		if s == 0 {
			continue
		}
		taken++
		if n := s & mask; n == 0 || n > uint32(len(t.hashes)) {
			return false
		}
	}
	return taken == len(t.hashes)
}
