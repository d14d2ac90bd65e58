package data

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

// The answer to a call that streams is records: four bytes of length and so
// many bytes of content, one after the other without regard to the frames that
// carry them, so that neither small ones cost a frame each nor large ones need
// a large frame. An empty record is the end.
const (
	// frameBytes is the most that a frame carries.
	frameBytes = 1 << 20
	// fullBytes and fullAge are from when on records are sent.
	fullBytes = 128 << 10
	fullAge   = 20 * time.Millisecond
	// maxRecordBytes bounds a record.
	maxRecordBytes = 256 << 20

	lengthBytes = 4
)

// recordWriter sends records.
type recordWriter struct {
	send func([]byte) error // takes the bytes over
	buf  []byte
	sent time.Time // when something was last sent
}

func newRecordWriter(send func([]byte) error) *recordWriter {
	return &recordWriter{send: send, sent: time.Now()}
}

// write sends the record that encode appends, soon.
func (w *recordWriter) write(encode func(dst []byte) []byte) error {
	at := len(w.buf)
	w.buf = encode(append(w.buf, 0, 0, 0, 0))
	n := len(w.buf) - at - lengthBytes
	if n > maxRecordBytes {
		return &model.Error{Kind: model.ErrTooLarge, Text: fmt.Sprintf("a piece of the answer takes %d bytes, at most %d can be sent", n, maxRecordBytes)}
	}
	binary.LittleEndian.PutUint32(w.buf[at:], uint32(n))
	if len(w.buf) < fullBytes && time.Since(w.sent) < fullAge {
		return nil
	}
	return w.flush()
}

// end sends what is left and says that it is all.
func (w *recordWriter) end() error {
	w.buf = append(w.buf, 0, 0, 0, 0)
	return w.flush()
}

func (w *recordWriter) flush() error {
	buf := w.buf
	w.buf = nil
	for len(buf) > 0 {
		n := min(len(buf), frameBytes)
		if err := w.send(buf[:n:n]); err != nil {
			return err
		}
		buf = buf[n:]
	}
	w.sent = time.Now()
	return nil
}
