package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/internal/certificate"
	"github.com/varvedb/varve/meta"
)

func notEmpty(v string) error {
	if v == "" {
		return errors.New("must not be empty")
	}
	return nil
}

func parseSwitch(v string) (bool, error) {
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, errors.New("not true or false")
	}
	return b, nil
}

// parseOff reads a switch for what is on by default.
func parseOff(v string) (bool, error) {
	on, err := parseSwitch(v)
	return !on, err
}

// list splits at commas.
func list(v string) []string {
	var out []string
	for _, e := range strings.Split(v, ",") {
		if e = strings.TrimSpace(e); e != "" {
			out = append(out, e)
		}
	}
	return out
}

// parseOrigins reads origins as browsers send them.
func parseOrigins(v string) ([]string, error) {
	all := list(v)
	for _, text := range all {
		u, err := url.Parse(text)
		if text != "*" && (err != nil || u.Host == "" || u.Scheme+"://"+u.Host != text) {
			return nil, fmt.Errorf("%q is no origin as https://host:port", text)
		}
	}
	return all, nil
}

func parseRoles(v string) ([]meta.Role, error) {
	var roles []meta.Role
	for _, name := range list(v) {
		r := meta.Role(name)
		switch r {
		case meta.RoleMeta, meta.RoleData, meta.RoleCoordinator:
		default:
			return nil, fmt.Errorf("%q is not one of meta, data, coordinator", name)
		}
		if !slices.Contains(roles, r) {
			roles = append(roles, r)
		}
	}
	if len(roles) == 0 {
		return nil, errors.New("no role in it")
	}
	return roles, nil
}

// parseSize reads a number of bytes, with k, m or g for powers of 1024.
func parseSize(v string) (int64, error) {
	digits, shift := v, 0
	if n := len(v); n > 0 {
		switch v[n-1] {
		case 'k', 'K':
			digits, shift = v[:n-1], 10
		case 'm', 'M':
			digits, shift = v[:n-1], 20
		case 'g', 'G':
			digits, shift = v[:n-1], 30
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > 1<<(62-shift) {
		return 0, errors.New("not a size such as 512m or 4g")
	}
	return n << shift, nil
}

// parseCount reads a number that is not negative.
func parseCount(v string) (int64, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		return 0, errors.New("not a number from 0 on")
	}
	return n, nil
}

// parseAddress checks an address to listen on or to be reached by.
func parseAddress(v string) (string, error) {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return "", errors.New("not of the form HOST:PORT")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", errors.New("the port is not a number from 0 to 65535")
	}
	return v, nil
}

// parseAddresses checks a list of addresses of others.
func parseAddresses(v string) ([]string, error) {
	all := list(v)
	for _, a := range all {
		if _, err := parseAddress(a); err != nil {
			return nil, fmt.Errorf("%s: %w", a, err)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no address in it")
	}
	return all, nil
}

// parseNetworks reads a list of networks, addresses, and names of kinds of them.
func parseNetworks(v string) ([]netip.Prefix, error) {
	kinds := map[string][]string{
		"loopback":   {"127.0.0.0/8", "::1/128"},
		"private":    {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"},
		"link-local": {"169.254.0.0/16", "fe80::/10"},
	}
	var out []netip.Prefix
	for _, word := range list(v) {
		texts := kinds[word]
		if texts == nil {
			texts = []string{word}
		}
		for _, text := range texts {
			if ip, err := netip.ParseAddr(text); err == nil {
				out = append(out, netip.PrefixFrom(ip, ip.BitLen()))
				continue
			}
			p, err := netip.ParsePrefix(text)
			if err != nil {
				return nil, fmt.Errorf("%q is no network such as 10.0.0.0/8, and not one of loopback, private, link-local", word)
			}
			out = append(out, p.Masked())
		}
	}
	return out, nil
}

func parseLevel(v string) (coordinator.Level, error) {
	l, err := coordinator.ParseLevel(v)
	if err != nil || l == coordinator.Default {
		return 0, errors.New("not one of any, one, quorum, all")
	}
	return l, nil
}

// parseTime reads a duration with whole days besides the units of Go.
func parseTime(v string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(v, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil || n == 0 {
			return 0, errors.New("not a time such as 30m, 12h or 7d")
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		return 0, errors.New("not a time such as 30m, 12h or 7d")
	}
	return d, nil
}

// setCount reads a number that is not negative into n.
func setCount(n *int, v string) error {
	count, err := parseCount(v)
	*n = int(count)
	return err
}

// parseRatio reads a part of a whole.
func parseRatio(v string) (float64, error) {
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || !(f >= 0 && f <= 1) { // NaN, too
		return 0, errors.New("not a number from 0 to 1")
	}
	return f, nil
}

// setLeast1 is setCount for what cannot be 0.
func setLeast1(n *int, v string) error {
	err := setCount(n, v)
	if err == nil && *n == 0 {
		err = errors.New("not a number from 1 on")
	}
	return err
}

// parseTimeOrNone reads a duration that may be 0.
func parseTimeOrNone(v string) (time.Duration, error) {
	if v == "0" || v == "0s" || v == "0d" {
		return 0, nil
	}
	return parseTime(v)
}

func parseTLSVersion(v string) (uint16, error) {
	if v == "" { // InfluxDB's default
		return 0, nil
	}
	return certificate.ParseVersion(v)
}

func parseCiphers(v string) (out []uint16, err error) {
	for _, name := range list(v) {
		id, err := certificate.ParseCipher(name)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

// parseMode reads the permissions of a file, in octal.
func parseMode(v string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(v, 8, 32)
	if err != nil || n > 0o777 {
		return 0, errors.New("not permissions such as 0770")
	}
	return fs.FileMode(n), nil
}
