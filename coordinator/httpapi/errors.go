package httpapi

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/varvedb/varve/model"
)

// maxErrorHeader bounds X-Influxdb-Error.
const maxErrorHeader = 1024

// fail answers with err's status and text, in the format the client accepts.
func (s *Server) fail(c echo.Context, err error) error {
	status := statusOf(err)
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = "timeout"
	}
	if status >= http.StatusInternalServerError {
		s.failures.Warn("request failed", "path", c.Path(), "status", status, "error", err, "request", c.Response().Header().Get(echo.HeaderXRequestID))
	}
	if errors.Is(err, errTooLarge) {
		c.Response().Header().Set(echo.HeaderConnection, "close")
	}
	if status == http.StatusUnauthorized {
		return s.challenge(c, text)
	}
	if again := (interface{ RetryAfter() time.Duration })(nil); errors.As(err, &again) {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(again.RetryAfter().Seconds()))))
	}
	return s.failWith(c, status, text)
}

// failWith answers with a status and a text.
func (s *Server) failWith(c echo.Context, status int, text string) error {
	h := c.Response().Header()
	h.Set("X-Influxdb-Error", headerText(text))
	if status == http.StatusServiceUnavailable && h.Get(echo.HeaderRetryAfter) == "" {
		h.Set(echo.HeaderRetryAfter, retryAfter)
	}
	return errorBody(c, status, text)
}

// challenge asks for credentials.
func (s *Server) challenge(c echo.Context, text string) error {
	c.Response().Header().Set(echo.HeaderWWWAuthenticate, `Basic realm="`+s.cfg.Realm+`"`)
	return errorBody(c, http.StatusUnauthorized, text)
}

// errorBody sends a text in the format the client accepts.
func errorBody(c echo.Context, status int, text string) error {
	f := accepted(c.Request())
	return c.Blob(status, f.contentType, f.errorBody(text, pretty(c.Request())))
}

func invalid(text string) error { return &model.Error{Kind: model.ErrInvalid, Text: text} }

// headerText makes a text fit for a header: one line, without the control bytes,
// which clients refuse together with the whole answer.
func headerText(s string) string {
	b := []byte(s)
	if len(b) > maxErrorHeader {
		b = b[:maxErrorHeader]
		for len(b) > 0 && !utf8.RuneStart(s[len(b)]) {
			b = b[:len(b)-1]
		}
	}
	for i, c := range b {
		if c < 0x20 && c != '\t' || c == 0x7f {
			b[i] = ' '
		}
	}
	return string(b)
}

// plain answers with a line of text, as Go's http.Error.
func plain(c echo.Context, status int, text string) error {
	return c.Blob(status, "text/plain; charset=utf-8", []byte(text+"\n"))
}
