package httpapi

import (
	"net/http"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	// sendBytes is how much of an answer is collected before it is sent.
	sendBytes = 32 << 10
	// keepBytes is the largest buffer that is kept for the next answer.
	keepBytes = 1 << 20
)

// output is the body of an answer with status 200, on its way to the client.
// Encoders append to buf and call spill now and then.
type output struct {
	buf     []byte
	w       http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	zip     *gzip.Writer // nil when the client takes no gzip
	started bool
	ended   func() error // why a piece is not to be encoded to its end, or nil
}

// spill sends what was collected, if it is enough.
func (o *output) spill() error {
	if len(o.buf) < sendBytes {
		return nil
	}
	if o.ended != nil {
		if err := o.ended(); err != nil {
			return err
		}
	}
	return o.send()
}

// send sends what was collected.
func (o *output) send() error {
	if !o.started {
		o.started = true
		if o.zip != nil {
			o.w.Header().Set("Content-Encoding", "gzip")
			o.zip.Reset(o.w)
		}
		o.w.WriteHeader(http.StatusOK)
	}
	// A client that takes nothing for so long holds up a query for ever.
	_ = o.control.SetWriteDeadline(time.Now().Add(o.stall)) // a connection without deadlines is a test's
	var err error
	if o.zip != nil {
		_, err = o.zip.Write(o.buf)
	} else {
		_, err = o.w.Write(o.buf)
	}
	o.buf = o.buf[:0]
	return err
}

// flush sends what was collected so that the client has it now.
func (o *output) flush() error {
	if err := o.send(); err != nil {
		return err
	}
	if o.zip != nil {
		if err := o.zip.Flush(); err != nil {
			return err
		}
	}
	return o.control.Flush()
}

// finish sends the rest and ends the compression.
func (o *output) finish() error {
	if err := o.send(); err != nil {
		return err
	}
	if o.zip != nil {
		if err := o.zip.Close(); err != nil {
			return err
		}
	}
	_ = o.control.SetWriteDeadline(time.Time{}) // the connection may serve again
	return nil
}
