package segment

import (
	"runtime/debug"
)

// Scrub checks every checksum anew, whether the part was read before or not. It
// calls step with the bytes that it is about to read of each segment; an error
// of step ends it. The parts of a segment are a few MiB at most, or one granule.
func Scrub(r *Reader, step func(bytes int64) error) error {
	for i := range r.foot.measurements {
		for k := range r.foot.measurements[i].segments {
			if err := step(r.foot.measurements[i].segments[k].size()); err != nil {
				return err
			}
			if err := r.scrubSegment(i, k); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Reader) scrubSegment(measurement, segment int) (err error) {
	defer r.guard(debug.SetPanicOnFault(true), &err)
	m := &r.foot.measurements[measurement]
	s := &m.segments[segment]
	for n := range s.parts {
		offset, length := s.bounds(n)
		intact, err := r.intact(offset, length, s.parts[n].sum)
		if err != nil {
			return err
		}
		if !intact {
			return r.badPart(measurement, segment, n)
		}
	}
	return nil
}
