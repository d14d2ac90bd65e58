package segment

import (
	"fmt"
	"hash/crc32"
	"time"

	"github.com/varvedb/varve/model"
)

// part is a run of bytes with a checksum. It begins where the one before it
// ends, the first one of a segment where that begins.
type part struct {
	end uint32 // from the segment's offset on
	sum uint32
}

// Which part is which; where those of fields, two each, begin says firstField.
const (
	partDirectory = 0
	partTimes     = 1
	partVersions  = 2
)

// firstField gives the number of parts before those of fields.
func (r *Reader) firstField() int {
	if r.foot.meta.Versioned {
		return partVersions + 1
	}
	return partVersions
}

// What Reader.state knows of a part: nothing, that its checksum is wrong, or
// that it is right; then the number says when the part was in memory.
const (
	partUnknown = 0
	partBad     = 1
	partGood    = 2 // and above: plus seconds since the file was opened
)

// residentSeconds is how long a part that was in memory is taken to be there.
const residentSeconds = 2

// bounds gives where part i lies in the file.
func (s *segment) bounds(i int) (offset int64, length int) {
	start := uint32(0)
	if i > 0 {
		start = s.parts[i-1].end
	}
	return s.offset + int64(start), int(s.parts[i].end - start)
}

// size gives the bytes of all parts.
func (s *segment) size() int64 { return int64(s.parts[len(s.parts)-1].end) }

// part gives the bytes of a part, in memory and verified at their first use.
// With ahead set the caller comes from the segment before, and may go on to the
// next: where this one must be read from the disk so is that. With anew set it
// is verified whether it was before or not.
func (r *Reader) part(measurement, segment, i int, ahead, anew bool) ([]byte, error) {
	m := &r.foot.measurements[measurement]
	s := &m.segments[segment]
	offset, length := s.bounds(i)
	state := &r.state[s.firstPart+i]
	was := state.Load()
	if was != partBad {
		now := partGood + uint32(time.Since(r.opened)/time.Second)
		if was >= partGood && now-was < residentSeconds && !anew {
			return r.content.bytes(offset, length)
		}
		if !r.content.fetch(offset, length) && ahead && segment+1 < len(m.segments) && i < len(m.segments[segment+1].parts) {
			r.content.mapping.Prefetch(span(m.segments[segment+1].bounds(i)))
		}
		data, err := r.content.bytes(offset, length)
		if err != nil {
			return nil, err
		}
		if was >= partGood && !anew || crc32.Checksum(data, castagnoli) == s.parts[i].sum {
			state.Store(now)
			return data, nil
		}
		state.Store(partBad)
	}
	return nil, r.badPart(measurement, segment, i)
}

func (r *Reader) badPart(measurement, segment, i int) error {
	m := &r.foot.measurements[measurement]
	offset, _ := m.segments[segment].bounds(i)
	return fmt.Errorf("measurement %q, part %d of segment %d at %d: checksum: %w", m.name, i, segment, offset, model.ErrCorrupt)
}

func span(offset int64, length int) (int, int) { return int(offset), length }

// intact reports whether bytes on the disk have a checksum.
func (r *Reader) intact(offset int64, length int, sum uint32) (bool, error) {
	r.content.fetch(offset, length)
	data, err := r.content.bytes(offset, length)
	return err == nil && crc32.Checksum(data, castagnoli) == sum, err
}
