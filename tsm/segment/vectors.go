package segment

import (
	"encoding/binary"
	"slices"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

// vectors is the distinct time vectors of a segment: the times of the rows of
// one piece. Collectors stamp many series alike, so most pieces share theirs.
type vectors struct {
	rows, first, last, repeats []uint64
	blobs                      // nothing for times that are evenly spaced
	known                      map[string]uint32
	key                        []byte

	latest   []int64 // the vector asked for last, which the next series mostly has, too
	latestAt uint32
}

// add gives the number of a vector.
func (v *vectors) add(enc *block.Encoder, times []int64) uint32 {
	if slices.Equal(times, v.latest) {
		return v.latestAt
	}
	g := granuleOf(times)
	head := v.begin(g)
	if !even(times) {
		v.key = enc.AppendInts(v.key, times)
	}
	v.latest, v.latestAt = append(v.latest[:0], times...), v.number(g, head)
	return v.latestAt
}

// copy gives the number of a vector of another segment, of which blob is what
// is kept besides g.
func (v *vectors) copy(g Granule, blob []byte) uint32 {
	head := v.begin(g)
	v.key = append(v.key, blob...)
	return v.number(g, head)
}

// begin starts the key of a vector with what is known of it in any case.
func (v *vectors) begin(g Granule) int {
	key := binary.AppendUvarint(v.key[:0], uint64(g.Rows))
	key = binary.AppendVarint(key, g.Range.Min)
	v.key = binary.AppendVarint(key, g.Range.Max)
	return len(v.key)
}

// number gives that of the vector with the key, of which all after head is kept.
func (v *vectors) number(g Granule, head int) uint32 {
	if i, ok := v.known[string(v.key)]; ok {
		return i
	}
	if v.known == nil {
		v.known = make(map[string]uint32)
	}
	i := uint32(len(v.rows))
	v.known[string(v.key)] = i
	v.rows = append(v.rows, uint64(g.Rows))
	v.first = append(v.first, uint64(g.Range.Min))
	v.last = append(v.last, uint64(g.Range.Max))
	repeats := uint64(0)
	if g.Repeats {
		repeats = 1
	}
	v.repeats = append(v.repeats, repeats)
	v.data = append(v.data, v.key[head:]...)
	v.end()
	return i
}

// span gives the times that vector i lies in.
func (v *vectors) span(i uint32) model.TimeRange {
	return model.TimeRange{Min: int64(v.first[i]), Max: int64(v.last[i])}
}

func (v *vectors) reset() {
	v.rows, v.first, v.last, v.repeats = v.rows[:0], v.first[:0], v.last[:0], v.repeats[:0]
	v.blobs.reset()
	clear(v.known)
	v.latest = v.latest[:0]
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

// granuleOf describes rows of one series.
func granuleOf(times []int64) Granule {
	n := len(times)
	return Granule{Rows: n, Range: model.TimeRange{Min: times[0], Max: times[n-1]}, Repeats: repeat(times)}
}

// repeat reports whether a time occurs twice.
func repeat(times []int64) bool {
	for i := 1; i < len(times); i++ {
		if times[i] == times[i-1] {
			return true
		}
	}
	return false
}
