package segment

import (
	"fmt"
	"hash/crc32"
	"runtime/debug"

	"github.com/varvedb/varve/model"
)

// Scrub checks every checksum anew, whether the part was read before or not. It
// calls step with the bytes that it is about to read of each segment; an error
// of step ends it. The parts of a segment are a few MiB at most, or one granule.
func Scrub(r *Reader, step func(bytes int64) error) error {
	for i := range r.foot.measurements {
		for k := range r.foot.measurements[i].segments {
			size := int64(0)
			for _, p := range r.foot.measurements[i].segments[k].parts {
				size += int64(p.length)
			}
			if err := step(size); err != nil {
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
	for n, p := range m.segments[segment].parts {
		if crc32.Checksum(r.data[p.offset:p.offset+int64(p.length)], castagnoli) != p.sum {
			return fmt.Errorf("measurement %q, part %d of segment %d at %d: checksum: %w", m.name, n, segment, p.offset, model.ErrCorrupt)
		}
	}
	return nil
}
