package query

import (
	"strings"
	"unicode/utf8"
)

type kind uint8

const (
	other kind = iota // an operator, a bracket, a separator
	word              // a name without quotes or a keyword
	value             // a number, a string, a quoted name, a parameter
	regex
)

// lexer splits InfluxQL roughly: enough to know what is inside strings, names,
// comments and regular expressions and what is not.
type lexer struct {
	text       string
	start, end int
	kind       kind
	operand    bool // whether the last token may stand on the left of a division
}

// next moves to the next token, skipping white space and comments.
func (l *lexer) next() bool {
	s := l.text
	i := l.end
	for i < len(s) {
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '-' && i+1 < len(s) && s[i+1] == '-':
			i = indexFrom(s, i, "\n", 0)
			continue
		case c == '/' && i+1 < len(s) && s[i+1] == '*':
			i = indexFrom(s, i+2, "*/", 2)
			continue
		}
		break
	}
	if i >= len(s) {
		return false
	}
	l.start = i
	switch c := s[i]; {
	case isNameStart(c):
		for i < len(s) && (isNameStart(s[i]) || isDigit(s[i])) {
			i++
		}
		l.kind = word
		l.operand = !beforeRegex(s[l.start:i])
	case isDigit(c):
		for i < len(s) && (isNameStart(s[i]) || isDigit(s[i]) || s[i] == '.' || s[i] >= utf8.RuneSelf) {
			i++
		}
		l.kind, l.operand = value, true
	case c == '\'' || c == '"':
		i = endOfQuoted(s, i)
		l.kind, l.operand = value, true
	case c == '$':
		if i++; i < len(s) && s[i] == '"' {
			i = endOfQuoted(s, i)
		}
		for i < len(s) && (isNameStart(s[i]) || isDigit(s[i])) {
			i++
		}
		l.kind, l.operand = value, true
	case c == '/' && !l.operand:
		i = endOfQuoted(s, i)
		l.kind, l.operand = regex, true
	default:
		i++
		l.kind, l.operand = other, c == ')'
	}
	l.end = i
	return true
}

// beforeRegex reports whether a keyword may have a regular expression behind
// it; behind any other word a slash divides.
func beforeRegex(w string) bool {
	if len(w) > 8 {
		return false
	}
	switch strings.ToLower(w) {
	case "select", "from", "by", "distinct":
		return true
	}
	return false
}

// endOfQuoted gives the index behind the token that begins at i, up to the
// same character again, the end of the line or the end of the text.
func endOfQuoted(s string, i int) int {
	q := s[i]
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case q:
			return i + 1
		case '\n':
			return i
		}
	}
	return len(s)
}

// indexFrom gives the index of what, plus add, at or after i, or the end of s.
func indexFrom(s string, i int, what string, add int) int {
	if n := strings.Index(s[min(i, len(s)):], what); n >= 0 {
		return i + n + add
	}
	return len(s)
}

func isNameStart(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
