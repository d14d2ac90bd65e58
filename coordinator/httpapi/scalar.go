package httpapi

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendJSONString adds s as encoding/json does, with <, > and & escaped.
func appendJSONString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			if !(r == utf8.RuneError && size == 1) && r != '\u2028' && r != '\u2029' {
				i += size
				continue
			}
			dst = append(dst, s[start:i]...)
			switch r {
			case '\u2028', '\u2029':
				dst = append(dst, `\u202`...)
				dst = append(dst, hexDigits[r&0xf])
			default:
				dst = append(dst, `\ufffd`...)
			}
		} else {
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\b':
				dst = append(dst, '\\', 'b')
			case '\f':
				dst = append(dst, '\\', 'f')
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
			}
		}
		i += size
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendJSONFloat adds v as encoding/json does: the shortest digits, with an
// exponent below 1e-6 and from 1e21 on. JSON has no NaN and no infinity: null.
func appendJSONFloat(dst []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(dst, "null"...)
	}
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	dst = strconv.AppendFloat(dst, v, format, -1, 64)
	if format == 'e' { // e-09 becomes e-9
		if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
	}
	return dst
}

// timestamps writes times as RFC 3339 with up to nine decimals. It remembers
// the last day, as rows come in order of time.
type timestamps struct {
	loc    *time.Location // nil for UTC
	day    int64          // of prefix; valid when prefix is not empty
	prefix []byte         // "2006-01-02T"
}

const nanosPerDay = 24 * int64(time.Hour)

func (f *timestamps) append(dst []byte, t int64) []byte {
	if f.loc != nil {
		return time.Unix(0, t).In(f.loc).AppendFormat(dst, time.RFC3339Nano)
	}
	day := t / nanosPerDay
	if t%nanosPerDay < 0 {
		day--
	}
	if len(f.prefix) == 0 || day != f.day {
		f.day = day
		f.prefix = time.Unix(day*86400, 0).UTC().AppendFormat(f.prefix[:0], "2006-01-02T")
	}
	dst = append(dst, f.prefix...)
	rest := t - day*nanosPerDay
	sec, frac := rest/int64(time.Second), rest%int64(time.Second)
	dst = append(twoDigits(dst, sec/3600), ':')
	dst = append(twoDigits(dst, sec/60%60), ':')
	dst = twoDigits(dst, sec%60)
	if frac != 0 {
		var digits [10]byte
		n := len(digits)
		for i := n - 1; i > 0; i-- {
			digits[i] = byte('0' + frac%10)
			frac /= 10
		}
		digits[0] = '.'
		for digits[n-1] == '0' {
			n--
		}
		dst = append(dst, digits[:n]...)
	}
	return append(dst, 'Z')
}

func twoDigits(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }
