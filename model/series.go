package model

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"
)

// Tag is one tag of a series.
type Tag struct {
	Key, Value string
}

// Tags is the tags of a series, sorted by key, keys distinct, no empty value.
type Tags []Tag

// Get gives the value of a tag, or "" where there is none.
func (t Tags) Get(key string) string {
	for i := range t {
		if t[i].Key == key {
			return t[i].Value
		}
	}
	return ""
}

// Sort orders t by key, keeping the order of equal keys.
func (t Tags) Sort() {
	slices.SortStableFunc(t, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
}

// SeriesHash names a series everywhere: the 128-bit xxh3 hash of its canonical
// key under the cluster's secret seed.
type SeriesHash struct {
	Hi, Lo uint64
}

// HashSeriesKey hashes a canonical key under the cluster's seed.
func HashSeriesKey(key []byte, seed uint64) SeriesHash {
	h := xxh3.Hash128Seed(key, seed)
	return SeriesHash{Hi: h.Hi, Lo: h.Lo}
}

// Compare orders hashes.
func (h SeriesHash) Compare(o SeriesHash) int {
	switch {
	case h.Hi < o.Hi || h.Hi == o.Hi && h.Lo < o.Lo:
		return -1
	case h == o:
		return 0
	}
	return 1
}

// Append adds the 16 bytes of h, big endian.
func (h SeriesHash) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, h.Hi)
	return binary.BigEndian.AppendUint64(dst, h.Lo)
}

// AppendSeriesKey adds the canonical key of a series: the measurement, then
// ",key=value" for each tag in order of key. Commas and blanks in the
// measurement, and commas, blanks and equal signs in keys and values, have a
// backslash before them. This is the text that SHOW SERIES prints.
func AppendSeriesKey(dst []byte, measurement string, tags Tags) []byte {
	dst = appendEscaped(dst, measurement, ", ")
	for _, t := range tags {
		dst = append(dst, ',')
		dst = appendEscaped(dst, t.Key, ", =")
		dst = append(dst, '=')
		dst = appendEscaped(dst, t.Value, ", =")
	}
	return dst
}

func appendEscaped(dst []byte, s, special string) []byte {
	if !strings.ContainsAny(s, special) {
		return append(dst, s...)
	}
	for i := range len(s) {
		if strings.IndexByte(special, s[i]) >= 0 {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return dst
}

// ParseSeriesKey splits a canonical key. It is the inverse of AppendSeriesKey:
// a backslash escapes only what that function escapes. ok is false when key is
// not one that AppendSeriesKey makes.
func ParseSeriesKey(key []byte) (measurement string, tags Tags, ok bool) {
	i := indexUnescaped(key, ',', ", ")
	if i < 0 {
		return unescape(key, ", "), nil, true
	}
	measurement = unescape(key[:i], ", ")
	for rest := key[i:]; len(rest) > 0; {
		rest = rest[1:]
		end := indexUnescaped(rest, ',', ", =")
		if end < 0 {
			end = len(rest)
		}
		eq := indexUnescaped(rest[:end], '=', ", =")
		if eq < 0 {
			return "", nil, false
		}
		tags = append(tags, Tag{Key: unescape(rest[:eq], ", ="), Value: unescape(rest[eq+1:end], ", =")})
		rest = rest[end:]
	}
	return measurement, tags, true
}

// TagOfSeriesKey gives one tag of a canonical key, "" where it lacks it.
func TagOfSeriesKey(key []byte, tag string) string {
	i := indexUnescaped(key, ',', ", ")
	if i < 0 {
		return ""
	}
	for rest := key[i:]; len(rest) > 0; {
		rest = rest[1:]
		end := indexUnescaped(rest, ',', ", =")
		if end < 0 {
			end = len(rest)
		}
		eq := indexUnescaped(rest[:end], '=', ", =")
		if eq < 0 {
			return ""
		}
		name := rest[:eq]
		if string(name) == tag || bytes.IndexByte(name, '\\') >= 0 && unescape(name, ", =") == tag {
			return unescape(rest[eq+1:end], ", =")
		}
		rest = rest[end:]
	}
	return ""
}

// indexUnescaped finds the first c in b that is not escaped.
func indexUnescaped(b []byte, c byte, special string) int {
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && strings.IndexByte(special, b[i+1]) >= 0 {
			i++
			continue
		}
		if b[i] == c {
			return i
		}
	}
	return -1
}

func unescape(b []byte, special string) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && strings.IndexByte(special, b[i+1]) >= 0 {
			i++
		}
		out = append(out, b[i])
	}
	return string(out)
}
