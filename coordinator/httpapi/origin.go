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
// Browsers say the origin with all but plain GETs. With those they say where it is
// in relation to the server, but not over HTTP to another machine: nothing tells
// such a GET for an image on a foreign page from one that was typed in. Clients that
// are no browsers say neither.
func (s *Server) foreign(r *http.Request) bool {
	origin := r.Header.Get(echo.HeaderOrigin)
	if origin == "" {
		switch r.Header.Get("Sec-Fetch-Site") {
		case "cross-site", "same-site":
			return true
		case "":
			// PowerShell says that it is one, too: of other methods this proves nothing.
			return r.Method == http.MethodGet && strings.HasPrefix(r.UserAgent(), "Mozilla/")
		}
		return false
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
