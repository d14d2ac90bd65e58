package subscriber

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/varvedb/varve/model"
)

// reserved is addresses beside those that netip knows as private, loopback,
// link-local or multicast: of this network, of carriers, of tests, and those
// that carry an IPv4 address, which may be any of these.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// guard says which addresses may be dialled.
type guard struct {
	allow []netip.Prefix
	own   func() ([]net.Addr, error) // the addresses of this machine
}

// control is a net.Dialer's Control: it sees the very address of a connection
// that is about to be made, whatever name it was found by.
func (g *guard) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap().WithZone("")
	if slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return nil
	}
	if why := g.refuses(ip); why != "" {
		return &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("%s is %s, which subscriber-allow does not allow", ip, why)}
	}
	return nil
}

// refuses says what an address is that is not dialled, or "".
func (g *guard) refuses(ip netip.Addr) string {
	switch {
	case ip.IsLoopback():
		return "a loopback address"
	case ip.IsPrivate():
		return "a private address"
	case ip.IsLinkLocalUnicast():
		return "a link-local address"
	case !ip.IsGlobalUnicast(), slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(ip) }):
		return "a reserved address"
	}
	own, err := g.own()
	if err != nil {
		return "an address that cannot be told from those of this machine"
	}
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok {
			if mine, ok := netip.AddrFromSlice(n.IP); ok && mine.Unmap() == ip {
				return "an address of this machine"
			}
		}
	}
	return ""
}
