package segment

import (
	"encoding/binary"

	"github.com/varvedb/varve/tsm/block"
)

// vectors is the distinct time vectors of a segment: the times of the rows of
// one piece. Collectors stamp many series alike, so most pieces share theirs.
type vectors struct {
	rows, first, last, repeats []uint64
	blobs                      // nothing for times that are evenly spaced
	known                      map[string]uint32
	key                        []byte
}

// add gives the number of a vector.
func (v *vectors) add(enc *block.Encoder, times []int64) uint32 {
	n := len(times)
	key := binary.AppendUvarint(v.key[:0], uint64(n))
	key = binary.AppendVarint(key, times[0])
	key = binary.AppendVarint(key, times[n-1])
	head := len(key)
	if !even(times) {
		key = enc.AppendInts(key, times)
	}
	v.key = key
	if i, ok := v.known[string(key)]; ok {
		return i
	}
	if v.known == nil {
		v.known = make(map[string]uint32)
	}
	i := uint32(len(v.rows))
	v.known[string(key)] = i
	v.rows = append(v.rows, uint64(n))
	v.first = append(v.first, uint64(times[0]))
	v.last = append(v.last, uint64(times[n-1]))
	v.repeats = append(v.repeats, repeats(times))
	v.data = append(v.data, key[head:]...)
	v.ends = append(v.ends, uint64(len(v.data)))
	return i
}

func (v *vectors) reset() {
	v.rows, v.first, v.last, v.repeats = v.rows[:0], v.first[:0], v.last[:0], v.repeats[:0]
	v.blobs.reset()
	clear(v.known)
}

// append adds the part that holds the vectors.
func (v *vectors) append(dst []byte) []byte {
	for _, values := range [][]uint64{v.rows, v.first, v.last, v.repeats} {
		dst = block.AppendArray(dst, values)
	}
	return appendBlobs(dst, &v.blobs)
}

// even reports whether neighbours are all the same time apart.
func even(times []int64) bool {
	if len(times) < 3 {
		return true
	}
	step := times[1] - times[0]
	for i := 2; i < len(times); i++ {
		if times[i]-times[i-1] != step {
			return false
		}
	}
	// The step is found again by division, so what wrapped does not count.
	n := uint64(len(times) - 1)
	span := uint64(times[n]) - uint64(times[0])
	return span%n == 0 && span/n == uint64(step)
}

// repeats gives 1 if a time occurs twice.
func repeats(times []int64) uint64 {
	for i := 1; i < len(times); i++ {
		if times[i] == times[i-1] {
			return 1
		}
	}
	return 0
}
