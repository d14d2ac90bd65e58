package model

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
)

// BatchSet is a set of batch ids, kept per origin and epoch as intervals of
// counters: as counters are given out one by one, a set of many batches is a
// few intervals. The zero BatchSet is empty and ready for use.
type BatchSet struct {
	epochs map[epochKey][]interval // intervals ascending, not adjoining, not empty
}

type epochKey struct {
	origin, epoch uint64
}

func (k epochKey) compare(o epochKey) int {
	return cmp.Or(cmp.Compare(k.origin, o.origin), cmp.Compare(k.epoch, o.epoch))
}

// interval is the counters from first to last, both included.
type interval struct {
	first, last uint64
}

// Add puts id into s and reports whether it is new there.
func (s *BatchSet) Add(id BatchID) bool {
	return s.addInterval(epochKey{id.Origin, id.Epoch}, interval{id.Seq, id.Seq})
}

// AddAll puts all of o into s.
func (s *BatchSet) AddAll(o *BatchSet) {
	for k, ivs := range o.epochs {
		for _, iv := range ivs {
			s.addInterval(k, iv)
		}
	}
}

// addInterval reports whether anything of iv was not in s.
func (s *BatchSet) addInterval(k epochKey, iv interval) bool {
	if s.epochs == nil {
		s.epochs = map[epochKey][]interval{}
	}
	ivs := s.epochs[k]
	// from is the first interval that iv touches or comes before; most often a
	// batch continues the last one.
	from := len(ivs)
	for from > 0 && (ivs[from-1].last >= iv.first || ivs[from-1].last+1 == iv.first) {
		from--
	}
	to := from
	for to < len(ivs) && (ivs[to].first <= iv.last || ivs[to].first == iv.last+1) {
		to++
	}
	if to == from+1 && ivs[from].first <= iv.first && iv.last <= ivs[from].last {
		return false
	}
	if to > from {
		iv.first = min(iv.first, ivs[from].first)
		iv.last = max(iv.last, ivs[to-1].last)
	}
	s.epochs[k] = slices.Replace(ivs, from, to, iv)
	return true
}

// Contains reports whether id is in s.
func (s *BatchSet) Contains(id BatchID) bool {
	ivs := s.epochs[epochKey{id.Origin, id.Epoch}]
	i, found := slices.BinarySearchFunc(ivs, id.Seq, func(iv interval, seq uint64) int { return cmp.Compare(iv.first, seq) })
	return found || i > 0 && ivs[i-1].last >= id.Seq
}

// Empty reports whether s holds no id.
func (s *BatchSet) Empty() bool { return len(s.epochs) == 0 }

// Clone gives a copy that shares nothing with s.
func (s *BatchSet) Clone() *BatchSet {
	c := &BatchSet{epochs: make(map[epochKey][]interval, len(s.epochs))}
	for k, ivs := range s.epochs {
		c.epochs[k] = slices.Clone(ivs)
	}
	return c
}

// Equal reports whether s and o hold the same ids.
func (s *BatchSet) Equal(o *BatchSet) bool {
	return maps.EqualFunc(s.epochs, o.epochs, slices.Equal)
}

// Append adds s in binary form: the number of epochs; per epoch, ascending, its
// origin, the 8 bytes of the epoch, the number of intervals and per interval
// its distance from the end of the one before and its length less one. Numbers
// are varints. Equal sets have equal bytes.
func (s *BatchSet) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s.epochs)))
	for _, k := range slices.SortedFunc(maps.Keys(s.epochs), epochKey.compare) {
		dst = binary.AppendUvarint(dst, k.origin)
		dst = binary.LittleEndian.AppendUint64(dst, k.epoch)
		ivs := s.epochs[k]
		dst = binary.AppendUvarint(dst, uint64(len(ivs)))
		end := uint64(0)
		for _, iv := range ivs {
			dst = binary.AppendUvarint(dst, iv.first-end)
			dst = binary.AppendUvarint(dst, iv.last-iv.first)
			end = iv.last
		}
	}
	return dst
}

// DecodeBatchSet reads what Append wrote and gives the bytes after it. Errors
// are of kind ErrCorrupt. What it allocates is bounded by len(b).
func DecodeBatchSet(b []byte) (*BatchSet, []byte, error) {
	d := batchSetDecoder{b: b}
	s := &BatchSet{}
	last := epochKey{}
	for i := range d.count(1 + 8 + 1) {
		k := epochKey{origin: d.uvarint(), epoch: d.uint64()}
		if i > 0 && last.compare(k) >= 0 {
			d.failed = true
		}
		last = k
		end, n := uint64(0), d.count(2)
		for j := range n {
			gap, length := d.uvarint(), d.uvarint()
			// Intervals that adjoin are one, so a gap is at least 2 after the first.
			if j > 0 && gap < 2 || gap > math.MaxUint64-end || length > math.MaxUint64-end-gap {
				d.failed = true
			}
			if d.failed {
				break
			}
			s.addInterval(k, interval{end + gap, end + gap + length})
			end += gap + length
		}
		if d.failed || n == 0 {
			return nil, nil, fmt.Errorf("decode batch set: %w", ErrCorrupt)
		}
	}
	if d.failed {
		return nil, nil, fmt.Errorf("decode batch set: %w", ErrCorrupt)
	}
	return s, d.b, nil
}

// batchSetDecoder reads numbers; after a failure it gives zeros.
type batchSetDecoder struct {
	b      []byte
	failed bool
}

func (d *batchSetDecoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.failed = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *batchSetDecoder) uint64() uint64 {
	if len(d.b) < 8 {
		d.failed = true
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

// count reads the number of things that take at least size bytes each.
func (d *batchSetDecoder) count(size uint64) uint64 {
	n := d.uvarint()
	if n > uint64(len(d.b))/size {
		d.failed = true
		return 0
	}
	return n
}
