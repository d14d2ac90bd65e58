package auth

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// credentials is what a request carries to say who sends it.
type credentials struct {
	kind   credentialKind
	name   string // of a user
	secret string // a password, or the text of a token
}

type credentialKind int

const (
	byPassword credentialKind = iota
	byToken                   // one of the cluster's
	byWebToken
)

// credentialsOf reads the credentials of a request, by InfluxDB's rules: u and p of
// the URL count before the header, and both must be given.
func credentialsOf(r *http.Request) (credentials, error) {
	if q := r.URL.Query(); q.Get("u") != "" && q.Get("p") != "" {
		return credentials{kind: byPassword, name: q.Get("u"), secret: q.Get("p")}, nil
	}
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if text == "" || strings.Contains(text, " ") {
		return credentials{}, errNoCredentials
	}
	switch scheme {
	case "Bearer", "Token":
		// Clients of InfluxDB 2 know only "Token", programs of others "Bearer".
		if strings.HasPrefix(text, tokenPrefix) && !strings.Contains(text, ":") {
			return credentials{kind: byToken, secret: text}, nil
		}
		if scheme == "Bearer" {
			return credentials{kind: byWebToken, secret: text}, nil
		}
		if name, password, ok := strings.Cut(text, ":"); ok {
			return withName(name, password)
		}
	default:
		if name, password, ok := r.BasicAuth(); ok {
			return withName(name, password)
		}
	}
	return credentials{}, errNoCredentials
}

// Claims gives the name of the user whom a request says that it comes from, if
// any, and whether it says anything.
func (a *Authenticator) Claims(r *http.Request) (name string, anything bool) {
	c, err := credentialsOf(r)
	return c.name, err == nil || r.Header.Get("Authorization") != ""
}

func withName(name, password string) (credentials, error) {
	if name == "" {
		return credentials{}, refused("username required")
	}
	return credentials{kind: byPassword, name: name, secret: password}, nil
}

// addressOf gives where a request comes from, as far as one client can be told from
// another by it: he who has one address of IPv6 has 2^64 of them.
func addressOf(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		a = p.Addr()
	}
	return a
}

// isLocal reports whether a request comes from a program on this machine: not
// through a proxy here, and not from a page in a browser here.
func isLocal(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	// A browser says so also where a page has made a name of its own mean us.
	for _, other := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via", "Origin", "Sec-Fetch-Site"} {
		if r.Header.Get(other) != "" {
			return false
		}
	}
	return err == nil && a.Unmap().IsLoopback()
}
