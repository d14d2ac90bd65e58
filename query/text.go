package query

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

// Bounds of what goes to the parser. It recurses for each parenthesis and each
// sign, and overflows the stack, which ends the process, at about a million of
// them. The other bounds keep the work for one request in proportion.
const (
	maxTextBytes  = 1 << 20
	maxDepth      = 128    // open parentheses, or signs in a row
	maxTokens     = 50_000 // of one request
	maxStatements = 100
	maxRegexBytes = 64 << 10

	// The lexer below tells a regular expression from a division by what stands
	// before it. A text made so that it errs could hide parentheses from it, so
	// their bytes are bounded, too, wherever they are: far above what people
	// write, far below what the stack holds.
	maxOpenBytes = 10_000
	maxSignBytes = 200_000
)

// A quoting is where the parser got quotes that the client did not write.
// Positions in the parser's errors count them and are set right by it.
type quoting struct {
	line, char int // of the opening quote, as the parser counts, from 0
}

// prepare checks a text before it is parsed and gives the text to parse.
//
// FUTURE and PAST are keywords of the parser but not of InfluxDB 1.8, where
// they are good names for measurements and fields. They are put in quotes
// except before LIMIT in statements about policies.
func prepare(text string) (string, []quoting, error) {
	if len(text) > maxTextBytes {
		return "", nil, tooComplex("%d bytes, the limit is %d", len(text), maxTextBytes)
	}
	if strings.Count(text, "(") > maxOpenBytes || strings.Count(text, "-")+strings.Count(text, "+") > maxSignBytes {
		return "", nil, tooComplex("too many parentheses or signs")
	}
	var (
		lx         = lexer{text: text}
		depth      int
		signs      int
		tokens     int
		statements = 1
		words      [2]string // of the current statement, lower case
		nWords     int
		pending    = -1 // where an undecided FUTURE or PAST begins
		pendingEnd int
		quoteAt    [][2]int
	)
	for lx.next() {
		tok := lx.text[lx.start:lx.end]
		if tokens++; tokens > maxTokens {
			return "", nil, tooComplex("more than %d words and signs", maxTokens)
		}
		if tok == "-" || tok == "+" {
			signs++
		} else {
			signs = 0
		}
		if pending >= 0 {
			if !aboutPolicies(words) || !strings.EqualFold(tok, "limit") {
				quoteAt = append(quoteAt, [2]int{pending, pendingEnd})
			}
			pending = -1
		}
		switch {
		case tok == "(":
			depth++
		case tok == ")":
			depth--
		case tok == ";":
			depth, nWords, words = 0, 0, [2]string{}
			statements++
		case lx.kind == word:
			if nWords < len(words) {
				words[nWords] = strings.ToLower(tok)
				nWords++
			}
			if strings.EqualFold(tok, "future") || strings.EqualFold(tok, "past") {
				pending, pendingEnd = lx.start, lx.end
			}
		case lx.kind == regex && len(tok) > maxRegexBytes:
			return "", nil, tooComplex("a regular expression of %d bytes, the limit is %d", len(tok), maxRegexBytes)
		}
		if depth > maxDepth || signs > maxDepth {
			return "", nil, tooComplex("nested more than %d deep", maxDepth)
		}
	}
	if statements > maxStatements+1 { // the last may be empty
		return "", nil, tooComplex("more than %d statements", maxStatements)
	}
	if pending >= 0 {
		quoteAt = append(quoteAt, [2]int{pending, pendingEnd})
	}
	text, quotings := quote(text, quoteAt)
	return text, quotings, nil
}

func tooComplex(format string, args ...any) error {
	return &model.Error{Kind: model.ErrInvalid, Text: "query too complex: " + fmt.Sprintf(format, args...)}
}

// aboutPolicies reports whether a statement that begins so may have a FUTURE
// LIMIT or PAST LIMIT.
func aboutPolicies(words [2]string) bool {
	switch words[0] {
	case "alter":
		return true
	case "create":
		return words[1] == "database" || words[1] == "retention"
	}
	return false
}

// quote puts double quotes around parts of text.
func quote(text string, parts [][2]int) (string, []quoting) {
	if len(parts) == 0 {
		return text, nil
	}
	var (
		b         strings.Builder
		quotings  []quoting
		at        int
		line, col int // of position at, in the text with quotes
	)
	for _, p := range parts {
		before := text[at:p[0]]
		if n := strings.Count(before, "\n"); n > 0 {
			line += n
			col = 0
			before = before[strings.LastIndexByte(before, '\n')+1:]
		}
		col += utf8.RuneCountInString(before)
		quotings = append(quotings, quoting{line: line, char: col})
		b.WriteString(text[at:p[0]])
		b.WriteByte('"')
		b.WriteString(text[p[0]:p[1]])
		b.WriteByte('"')
		col += p[1] - p[0] + 2
		at = p[1]
	}
	b.WriteString(text[at:])
	return b.String(), quotings
}

// parseError gives the text of a parser's error as InfluxDB 1.8 has it.
func parseError(err error, quotings []quoting) error {
	if pe, ok := err.(*influxql.ParseError); ok { //nolint:errorlint // the parser wraps nothing
		fixed := *pe
		for _, q := range quotings {
			if q.line == pe.Pos.Line && q.char < pe.Pos.Char {
				fixed.Pos.Char -= 2
			}
		}
		// The keywords of the write limits came after 1.8.
		fixed.Expected = nil
		for _, e := range pe.Expected {
			if e != "FUTURE" && e != "PAST" {
				fixed.Expected = append(fixed.Expected, e)
			}
		}
		err = &fixed
	}
	return &model.Error{Kind: model.ErrInvalid, Text: "error parsing query: " + err.Error()}
}

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
