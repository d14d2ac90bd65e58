package httpapi

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// stallBytes is what a client must send within BodyTimeout.
const stallBytes = 16 << 10

// pacedBody is a request's body as it comes, whatever the route: it gives up on a
// client that sends too slowly, also where nobody reads the body but the server,
// which looks for the next request behind it.
type pacedBody struct {
	io.ReadCloser
	deadline func(time.Time) error
	stall    time.Duration
	read     int64
	next     int64 // from how many bytes on the deadline moves
}

// pace gives a request such a body, if it has one.
func (s *Server) pace(c echo.Context) {
	r := c.Request()
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	b := &pacedBody{ReadCloser: r.Body, deadline: http.NewResponseController(c.Response()).SetReadDeadline, stall: s.cfg.BodyTimeout}
	b.move()
	r.Body = b
}

func (b *pacedBody) move() {
	_ = b.deadline(time.Now().Add(b.stall)) // a connection without deadlines is a test's
	b.next = b.read + stallBytes
}

// Read implements io.Reader. At the end of the body it lifts the deadline, which
// would otherwise end the request's context while it is served.
func (b *pacedBody) Read(p []byte) (int, error) {
	if b.read >= b.next {
		b.move()
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if errors.Is(err, io.EOF) {
		_ = b.deadline(time.Time{})
	}
	return n, err
}
