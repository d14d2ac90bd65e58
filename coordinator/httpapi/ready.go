package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// live answers /livez: the process runs and answers.
func live(c echo.Context) error { return plain(c, http.StatusOK, "ok") }

// ready answers /readyz: whether requests should be sent here.
func (s *Server) ready(c echo.Context) error {
	select {
	case <-s.draining:
		return s.notReady(c, "stopping")
	default:
	}
	if s.parts.Ready != nil {
		if err := s.parts.Ready(); err != nil {
			return s.notReady(c, err.Error())
		}
	}
	return plain(c, http.StatusOK, "ok")
}

func (s *Server) notReady(c echo.Context, why string) error {
	c.Response().Header().Set(echo.HeaderRetryAfter, retryAfter)
	return plain(c, http.StatusServiceUnavailable, why)
}
