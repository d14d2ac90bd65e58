package data

import (
	"encoding/binary"
	"fmt"

	"github.com/varvedb/varve/model"
)

// recordReader puts the records of a stream together again. It takes no memory
// for a record before its bytes have come.
type recordReader struct {
	each func(record []byte) error // the record is its own
	rest []byte                    // the beginning of a record
	over bool
}

// take takes the next frame, which belongs to it from then on.
func (r *recordReader) take(frame []byte) error {
	if len(r.rest) > 0 {
		frame = append(r.rest, frame...)
		r.rest = nil
	}
	for len(frame) >= lengthBytes {
		n := int(binary.LittleEndian.Uint32(frame))
		switch {
		case r.over:
			return fmt.Errorf("read stream: more after its end: %w", model.ErrCorrupt)
		case n > maxRecordBytes:
			return fmt.Errorf("read stream: record of %d bytes: %w", n, model.ErrCorrupt)
		case n > len(frame)-lengthBytes:
			r.rest = frame
			return nil
		}
		record := frame[lengthBytes : lengthBytes+n : lengthBytes+n]
		frame = frame[lengthBytes+n:]
		if n == 0 {
			r.over = true
			continue
		}
		if err := r.each(record); err != nil {
			return err
		}
	}
	r.rest = frame
	return nil
}

// done reports a stream that was not at its end.
func (r *recordReader) done() error {
	if !r.over || len(r.rest) > 0 {
		return fmt.Errorf("read stream: it was cut short: %w", model.ErrUnavailable)
	}
	return nil
}
