package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/labstack/echo/v4"

	"github.com/varvedb/varve/model"
)

const (
	// A body may unpack to this many times its size, once above freeRatio
	// bytes: text never does, bombs do.
	maxRatio  = 200
	freeRatio = 1 << 20
)

var errTooLarge = &model.Error{Kind: model.ErrTooLarge, Text: http.StatusText(http.StatusRequestEntityTooLarge)}

// body is a request's body in memory, and then the batch that it became. Its
// bytes are taken from the budget until the last of its users releases it.
type body struct {
	data    []byte
	memory  *[]byte // of data; nil when given back
	packed  bool    // in gzip
	users   atomic.Int32
	taken   atomic.Int64
	budget  *budget
	buffers *buffers
}

// hold adds a user.
func (b *body) hold() { b.users.Add(1) }

func (b *body) release() {
	if b.users.Add(-1) == 0 {
		b.budget.give(b.taken.Swap(0))
	}
}

// parsed gives the memory back, but not what is taken of the budget: the batch
// is as large. It is called once by whoever reads the body, which is gone then.
func (b *body) parsed() {
	if b.memory != nil {
		b.buffers.give(b.memory)
	}
	b.data, b.memory = nil, nil
}

// readBody reads a body, unpacked, with the caller as its user. Errors have kinds:
// a body that is too large or no gzip is the client's fault, a full budget is not.
// The connection of a client that is too slow is closed without an answer.
func (s *Server) readBody(c echo.Context) (*body, error) {
	b, err := s.receive(c)
	if err != nil {
		return nil, err
	}
	if err := s.unpack(b); err != nil {
		b.parsed()
		b.release()
		return nil, err
	}
	return b, nil
}

// receive is readBody without unpacking: that costs a third of what a write does,
// and some are refused yet.
func (s *Server) receive(c echo.Context) (*body, error) {
	r := c.Request()
	if r.ContentLength > s.cfg.MaxBodyBytes {
		return nil, s.tooLarge(c)
	}
	b := &body{budget: s.budget, buffers: &s.bodies, packed: r.Header.Get(echo.HeaderContentEncoding) == "gzip"}
	b.hold()
	err := b.fill(r.Body, max(r.ContentLength, 0), s.cfg.MaxBodyBytes, nil)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.release()
		s.abortStalled()
	}
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, errTooLarge):
		err = s.tooLarge(c)
	}
	b.parsed()
	b.release()
	return nil, err
}

// unpack makes a body what is in it, if it is packed.
func (s *Server) unpack(b *body) error {
	if !b.packed {
		return nil
	}
	z, _ := s.unzips.Get().(*gzip.Reader)
	if z == nil {
		z = new(gzip.Reader)
	}
	defer s.unzips.Put(z)
	err := b.unpack(z, s.cfg.MaxUnpackedBytes)
	if errors.Is(err, errTooLarge) {
		s.metrics.refused.WithLabelValues("size").Inc()
	}
	return err
}

// abortStalled closes the connection of a client that is too slow. Whatever were
// answered, the server would first read on, and a status of 4xx would make
// collectors throw the rows away. The deadline that has passed must still be
// set: closing, too, begins with reading on.
func (s *Server) abortStalled() {
	s.metrics.refused.WithLabelValues("stall").Inc()
	panic(http.ErrAbortHandler)
}

// drainTimeout is how long the rest of a refused body is read.
const drainTimeout = 5 * time.Second

// tooLarge gives the error of a body after which the connection is closed. Many
// clients look at the answer only after they have sent everything, and see a broken
// connection when that fails, so a body that is not far too large is read to its
// end before the answer.
func (s *Server) tooLarge(c echo.Context) error {
	s.metrics.refused.WithLabelValues("size").Inc()
	r := c.Request()
	if r.ContentLength <= 2*s.cfg.MaxBodyBytes && r.Header.Get("Expect") == "" {
		_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Now().Add(drainTimeout))
		_, _ = io.CopyN(io.Discard, r.Body, 2*s.cfg.MaxBodyBytes) // what fails here is a client that is gone
	}
	return errTooLarge
}

// usualRatio is how many times its size a body unpacks to at least, most often.
const usualRatio = 4

// unpack replaces a body by what is in it. What is taken of the budget is that of
// the larger of the two: the other one is gone soon.
func (b *body) unpack(z *gzip.Reader, limit int64) error {
	size := int64(len(b.data))
	from := bytes.NewReader(b.data)
	if err := z.Reset(from); err != nil {
		return unreadable(err)
	}
	whole := &body{budget: b.budget, buffers: b.buffers}
	whole.taken.Store(b.taken.Load())
	err := whole.fill(z, min(usualRatio*size, limit), limit, func(n int64) bool {
		return n > freeRatio && n > maxRatio*(size-int64(from.Len()))
	})
	b.taken.Store(whole.taken.Load())
	if err != nil {
		whole.parsed()
		return err
	}
	b.parsed()
	b.data, b.memory, b.packed = whole.data, whole.memory, false
	return nil
}

// fill reads all of r, at most limit bytes, and stops when bomb says so.
func (b *body) fill(r io.Reader, size, limit int64, bomb func(read int64) bool) error {
	if err := b.grow(size+1, limit); err != nil { // one more, to see the end
		return err
	}
	for {
		if len(b.data) == cap(b.data) {
			if err := b.grow(2*int64(cap(b.data)), limit); err != nil {
				return err
			}
		}
		n, err := r.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		switch read := int64(len(b.data)); {
		case read > limit || bomb != nil && bomb(read):
			return errTooLarge
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return unreadable(err)
		}
	}
}

// grow takes the bytes from the budget before it makes room for them: never
// more than the limit, or a body within it could be too much for an idle server.
func (b *body) grow(to, limit int64) error {
	_, to = class(to)
	taken := min(to, limit)
	if err := b.budget.take(taken - b.taken.Load()); err != nil {
		return err
	}
	b.taken.Store(taken)
	old := b.memory
	b.memory = b.buffers.take(min(to, limit+1)) // one more shows what is too long
	b.data = (*b.memory)[:copy(*b.memory, b.data)]
	if old != nil {
		b.buffers.give(old)
	}
	return nil
}

// unreadable gives the error of a body that cannot be read its kind.
func unreadable(err error) error {
	if errors.Is(err, errTooLarge) || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return invalid(err.Error())
}
