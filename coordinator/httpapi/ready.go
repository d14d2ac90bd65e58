package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// live answers /livez: the process runs and answers.
func live(c echo.Context) error { return plain(c, http.StatusOK, "ok") }

// ready answers /readyz: whether requests should be sent here. Before they should,
// Starting answers.
func (s *Server) ready(c echo.Context) error {
	select {
	case <-s.draining:
		return notReady(c, "stopping")
	default:
	}
	if s.parts.Elsewhere != nil {
		if err := s.parts.Elsewhere(); err != nil {
			return notReady(c, err.Error())
		}
	}
	return plain(c, http.StatusOK, "ok")
}

func notReady(c echo.Context, why string) error {
	c.Response().Header().Set(echo.HeaderRetryAfter, retryAfter)
	return plain(c, http.StatusServiceUnavailable, why)
}
