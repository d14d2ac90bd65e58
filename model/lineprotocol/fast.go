package lineprotocol

import (
	"bytes"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/varvedb/varve/model"
)

const (
	// maxPlainKey and maxPlainField bound what the fast way recognises, so that
	// the sum stays below maxKeyBytes and need not be checked for each value.
	maxPlainKey   = 60000
	maxPlainField = 5000
)

// fast reads the line that b starts with, if its fields are known and it is
// written in the usual way. It gives how many bytes the line
// takes with its end, or 0 when another way must decide; then nothing was
// stored.
//
// What it accepts, the reference decoder accepts with the same values.
func (w *worker) fast(b []byte) int {
	raw, ok := w.plainKey(b)
	if !ok {
		return 0
	}
	key := w.memo.raws.at(raw)
	of := w.memo.series.at(key.series)
	m := w.memo.numbered[of.measurement]
	i := int(key.length) + 1
	w.line++
	values, texts := w.values[:0], w.texts[:0]
	last := m.last
	for {
		f := last.next
		if f != nil {
			if n := len(f.prefix); len(b)-i > n && string(b[i:i+n]) == f.prefix {
				i += n
			} else {
				f = nil
			}
		}
		if f == nil {
			var n int
			if f, n = m.fieldOf(b[i:]); f == nil {
				return 0
			}
			last.next = f
			i += n
		}
		last = f
		if f.line == w.line || i >= len(b) {
			return 0
		}
		f.line = w.line
		v := lineValue{field: f}
		switch c := b[i]; {
		case c-'0' <= 9 || c == '-' || c == '.':
			if bits, n := shortInteger(b[i:]); n > 0 {
				v.typ, v.bits = model.Integer, bits
				i += n
				break
			}
			var n int
			if v.typ, v.bits, n = readNumber(b[i:], w.cfg.Unsigned); n == 0 {
				return 0
			}
			i += n
		case c == '"':
			var n int
			if texts, n = appendQuoted(texts, b[i+1:]); n == 0 {
				return 0
			}
			i += 1 + n
			v.typ, v.bits = model.String, uint64(len(texts))
		default:
			bits, n := readBoolean(b[i:])
			if n == 0 {
				return 0
			}
			i += n
			v.typ, v.bits = model.Boolean, bits
		}
		values = append(values, v)
		if i < len(b) && b[i] == ',' {
			i++
			continue
		}
		break
	}
	w.values, w.texts = values, texts
	if len(values) > w.cfg.MaxFields || i > maxLineBytes {
		return 0
	}

	t := w.now
	if i < len(b) && b[i] == ' ' {
		var n int
		if t, n = w.fastTime(b[i+1:]); n == 0 {
			return 0
		}
		i += 1 + n
	}
	if i < len(b) && b[i] != '\n' {
		return 0
	}
	m.last = last
	w.follow(raw)
	w.lastKey = b[:key.length]
	if of.batch != w.batch {
		w.enter(of, w.canonical(key, b[:key.length]))
	}
	w.store(of, t)
	return i + 1
}

// plainKey finds the raw key that b starts with, or learns it. Most often it is
// the last line's, or the one that came after that the last time.
func (w *worker) plainKey(b []byte) (uint32, bool) {
	if n := len(w.lastKey); n > 0 && len(b) > n && b[n] == ' ' && string(b[:n]) == string(w.lastKey) {
		return w.previous, true
	}
	if w.expected < w.memo.raws.n {
		e := w.memo.raws.at(w.expected)
		n := int(e.length)
		if len(b) > n && b[n] == ' ' && xxh3.Hash128Seed(b[:n], w.memo.seed) == e.hash {
			return w.expected, true
		}
	}
	if w.memo.raws.n >= minAheadKeys {
		k := w.ahead.of(len(b))
		if k == nil {
			w.lookAhead(b)
			k = w.ahead.of(len(b))
		}
		if k != nil && k.known {
			return k.raw, true
		}
	}
	if end := bytes.IndexByte(b, '\n'); end >= 0 {
		b = b[:end]
	}
	n := bytes.IndexByte(b, ' ')
	for n > 0 && b[n-1] == '\\' {
		next := bytes.IndexByte(b[n+1:], ' ')
		if next < 0 {
			return 0, false
		}
		n += 1 + next
	}
	if n <= 0 || n > maxPlainKey {
		return 0, false
	}
	h := xxh3.Hash128Seed(b[:n], w.memo.seed)
	if raw, ok := w.memo.raw(h); ok {
		return raw, true
	}
	return w.learn(b[:n], h)
}

// isPlainKey reports whether a line that begins with these bytes and a blank has
// them as its key. It is not so where the readings of backslashes differ, and
// where the bytes are not the beginning of a line.
func isPlainKey(key []byte) bool {
	if len(key) == 0 || len(key) > maxPlainKey || strings.IndexByte(" \t\x00#,", key[0]) >= 0 {
		return false
	}
	return bytes.IndexByte(key, '\n') < 0 && plainBackslashes(key)
}

// plainFieldName is isPlainKey for the name of a field with its equal sign.
func plainFieldName(name []byte) bool {
	if len(name) == 0 || len(name) > maxPlainField || bytes.ContainsAny(name, "\"\n") || !plainBackslashes(name) {
		return false
	}
	if c := name[0]; c == '\t' || c == 0 {
		return false
	}
	for i, c := range name {
		if (c == ' ' || c == ',' || c == '=') && (i == 0 || name[i-1] != '\\') {
			return false
		}
	}
	return true
}

// plainBackslashes reports whether every backslash has a byte after it that is
// not one.
func plainBackslashes(b []byte) bool {
	for i := bytes.IndexByte(b, '\\'); i >= 0 && i < len(b); i++ {
		if b[i] == '\\' {
			i++
			if i == len(b) || b[i] == '\\' {
				return false
			}
		}
	}
	return true
}

// fieldOf finds the field whose name b starts with. It gives the length of the
// name with the equal sign, and nil for a name that is new or has special bytes.
func (m *measurement) fieldOf(b []byte) (*field, int) {
	for i, c := range b {
		switch {
		case c == '=':
			f := m.fields[string(b[:i])]
			if f == nil || f.prefix == "" {
				return nil, 0
			}
			return f, i + 1
		case c <= ' ' || c == '\\' || c == '"' || c == ',' || i > maxPlainField:
			return nil, 0
		}
	}
	return nil, 0
}

// appendQuoted adds the string that b holds up to a quote. It gives how many
// bytes of b that takes with the quote, 0 where the quote is missing or the
// string is too long.
func appendQuoted(dst, b []byte) ([]byte, int) {
	start := len(dst)
	n, quote := 0, -1
	for {
		if quote < n {
			at := bytes.IndexByte(b[n:], '"')
			if at < 0 {
				return dst, 0
			}
			quote = n + at
		}
		plain := b[n:quote]
		if at := bytes.IndexByte(plain, '\\'); at >= 0 {
			plain = plain[:at]
		}
		dst = append(dst, plain...)
		n += len(plain)
		if len(dst)-start > maxStringBytes {
			return dst, 0
		}
		if n == quote {
			return dst, n + 1
		}
		if b[n+1] == '"' || b[n+1] == '\\' { // there is a quote behind n
			n++
		}
		dst = append(dst, b[n])
		n++
	}
}

// fastTime reads the timestamp that b starts with and gives its length, 0 when
// it is not one or is out of range.
func (w *worker) fastTime(b []byte) (int64, int) {
	if n := len(w.lastTime); n > 0 && len(b) >= n && string(b[:n]) == string(w.lastTime) && (len(b) == n || b[n] == '\n') {
		return w.lastNanos, n
	}
	i := 0
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		i = 1
	}
	start := i
	var v uint64
	for i < len(b) && i-start < exactDigits {
		d := b[i] - '0'
		if d > 9 {
			break
		}
		v = v*10 + uint64(d)
		i++
	}
	if i == start || v > model.MaxTime {
		return 0, 0
	}
	s := int64(v)
	if negative {
		s = -s
	}
	t, ok := w.precision.nanoseconds(s)
	if !ok {
		return 0, 0
	}
	w.lastTime, w.lastNanos = b[:i], t
	return t, i
}
