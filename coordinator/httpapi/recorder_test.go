package httpapi

import (
	"net/http"
	"net/http/httptest"
	"time"
)

// recorder is a response in memory.
type recorder struct{ *httptest.ResponseRecorder }

func newRecorder() recorder { return recorder{httptest.NewRecorder()} }

// output gives an output that ends in r.
func (r recorder) output() *output {
	return &output{w: r, control: http.NewResponseController(r), stall: time.Second}
}

// SetWriteDeadline does nothing.
func (r recorder) SetWriteDeadline(time.Time) error { return nil }
