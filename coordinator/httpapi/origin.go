package httpapi

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// foreign reports whether a page of another origin has a browser send the
// request. Answers can be read by pages from everywhere, as in InfluxDB, but
// what such pages change must be allowed: the browser may be on a machine or in a
// network where nobody else is.
//
// Browsers say the origin with all but plain GETs, and where it is in relation to
// the server with those, too. Clients that are no browsers say neither.
func (s *Server) foreign(r *http.Request) bool {
	origin := r.Header.Get(echo.HeaderOrigin)
	if origin == "" {
		site := r.Header.Get("Sec-Fetch-Site")
		return site == "cross-site" || site == "same-site"
	}
	if slices.Contains(s.cfg.AllowedOrigins, "*") || slices.Contains(s.cfg.AllowedOrigins, origin) {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) || !isAddress(u.Hostname())
}

// isAddress reports whether a host is an address or this machine. A name can be
// made to lead here by whoever owns it, so it proves nothing.
func isAddress(host string) bool { return host == "localhost" || net.ParseIP(host) != nil }

// ownPages refuses requests of pages of other origins.
func (s *Server) ownPages(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if r := c.Request(); r.Method != http.MethodGet && r.Method != http.MethodHead && s.foreign(r) {
			return s.fail(c, forbidden("a page of another origin may not change anything, unless cors-allowed-origins has it"))
		}
		return next(c)
	}
}
