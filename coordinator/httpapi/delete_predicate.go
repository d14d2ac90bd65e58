package httpapi

import (
	"errors"
	"strings"
)

// comparison is a part of a predicate: a tag, or _measurement, and its value.
type comparison struct{ key, value string }

const maxComparisons = 100 // of a predicate

var (
	errPredicate        = errors.New("predicate only supports equality operators and conjunctions")
	errPredicateTooLong = errors.New("predicate has too many parts")
)

// parsePredicate reads the predicate of a delete of the version 2 API: key = value
// joined by AND. Keys are words or in double quotes, values are in either quotes,
// or words that begin with a letter. It is read here and not by the parser of
// InfluxQL since it may hold nothing else.
func parsePredicate(text string) ([]comparison, error) {
	var all []comparison
	p := predicateText(text)
	for {
		key, quote, ok := p.word()
		if !ok || quote == '\'' {
			return nil, errPredicate
		}
		if !p.equals() {
			return nil, errPredicate
		}
		value, _, ok := p.word()
		if !ok {
			return nil, errPredicate
		}
		if len(all) == maxComparisons {
			return nil, errPredicateTooLong
		}
		all = append(all, comparison{key, value})
		if p.blank() {
			return all, nil
		}
		and, quote, ok := p.word()
		if !ok || quote != 0 || !strings.EqualFold(and, "and") {
			return nil, errPredicate
		}
	}
}

// predicateText is what is left to be read.
type predicateText string

// blank skips blanks and reports whether that was all.
func (p *predicateText) blank() bool {
	*p = predicateText(strings.TrimLeft(string(*p), " \t\r\n"))
	return *p == ""
}

// equals reads an equal sign, of which there may be two.
func (p *predicateText) equals() bool {
	if p.blank() || (*p)[0] != '=' {
		return false
	}
	*p = (*p)[1:]
	if strings.HasPrefix(string(*p), "=") {
		*p = (*p)[1:]
	}
	return !strings.HasPrefix(string(*p), "~")
}

// word reads a word, or a text in quotes, of which quote is the sort.
func (p *predicateText) word() (text string, quote byte, ok bool) {
	if p.blank() {
		return "", 0, false
	}
	if c := (*p)[0]; c == '"' || c == '\'' {
		return p.quoted(c)
	}
	n := 0
	for n < len(*p) && isWordByte((*p)[n], n > 0) {
		n++
	}
	text, *p = string((*p)[:n]), (*p)[n:]
	return text, 0, n > 0
}

func isWordByte(c byte, digits bool) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || digits && (c >= '0' && c <= '9')
}

// quoted reads a text in quotes; a backslash takes a quote, a backslash or n, for
// the end of a line, after it.
func (p *predicateText) quoted(quote byte) (string, byte, bool) {
	var b strings.Builder
	for i := 1; i < len(*p); i++ {
		switch c := (*p)[i]; c {
		case quote:
			*p = (*p)[i+1:]
			return b.String(), quote, true
		case '\n':
			return "", 0, false
		case '\\':
			i++
			if i == len(*p) {
				return "", 0, false
			}
			switch c = (*p)[i]; c {
			case 'n':
				b.WriteByte('\n')
			case '"', '\'', '\\':
				b.WriteByte(c)
			default:
				return "", 0, false
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, false
}
