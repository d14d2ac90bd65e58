package index

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/varvedb/varve/model"
)

// matcher is a comparison of a tag, made ready to be held against the sorted
// values of the tag: it looks at few of them where that is possible.
type matcher struct {
	negative bool // NotEqual, NotMatch
	empty    bool // holds, negative or not, for series without the tag

	// Of values, which are not empty, match all, if any; those that are in exact,
	// if isExact; else those that begin with prefix and match re.
	any     bool
	isExact bool
	exact   []string // sorted
	prefix  string
	re      *regexp.Regexp
}

// maxExact bounds the strings that a pattern is taken apart into.
const maxExact = 1024

func newMatcher(p *model.Predicate) *matcher {
	m := &matcher{negative: p.Op == model.NotEqual || p.Op == model.NotMatch, empty: p.HoldsValue(""), re: p.Regexp}
	if p.Regexp == nil {
		m.isExact = true
		if p.Value != "" {
			m.exact = []string{p.Value}
		}
		return m
	}
	parsed, err := syntax.Parse(p.Regexp.String(), syntax.Perl)
	if err != nil {
		return m // it was compiled with other flags
	}
	parsed = parsed.Simplify()
	m.any = anything(parsed)
	m.prefix, m.exact, m.isExact = anchored(parsed)
	slices.Sort(m.exact)
	m.exact = slices.DeleteFunc(slices.Compact(m.exact), func(s string) bool { return s == "" })
	return m
}

// anything reports whether a pattern is known to match every value: it matches
// the empty string, which is at each end of a value, or it is all runes.
func anything(re *syntax.Regexp) bool {
	if re.Op != syntax.OpConcat {
		return re.Op == syntax.OpBeginText || re.Op == syntax.OpEndText || empties(re)
	}
	rest := re.Sub
	begin := rest[0].Op == syntax.OpBeginText
	if begin {
		rest = rest[1:]
	}
	end := len(rest) > 0 && rest[len(rest)-1].Op == syntax.OpEndText
	if end {
		rest = rest[:len(rest)-1]
	}
	if begin && end {
		return len(rest) == 1 && everyRune(rest[0])
	}
	return !slices.ContainsFunc(rest, func(sub *syntax.Regexp) bool { return !empties(sub) })
}

// empties reports whether a pattern is known to match the empty string wherever
// that is in a value.
func empties(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpStar, syntax.OpQuest:
		return true
	case syntax.OpCapture, syntax.OpPlus:
		return empties(re.Sub[0])
	case syntax.OpAlternate:
		return slices.ContainsFunc(re.Sub, empties)
	case syntax.OpConcat:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !empties(sub) })
	}
	return false
}

// everyRune reports whether a pattern is any number of any runes.
func everyRune(re *syntax.Regexp) bool {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	return re.Op == syntax.OpStar && re.Sub[0].Op == syntax.OpAnyChar
}

// anchored takes a pattern apart that can match only from the beginning of a
// value: into the strings that it matches, when these are few and all of a value
// must match, or a prefix that all values have that match.
func anchored(re *syntax.Regexp) (prefix string, exact []string, isExact bool) {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	if re.Op != syntax.OpConcat || len(re.Sub) < 2 || re.Sub[0].Op != syntax.OpBeginText {
		return "", nil, false
	}
	rest := re.Sub[1:]
	// Without the flag the end is that of \z, with it that of $, which is the same
	// here: patterns that match at line ends have another operator.
	if last := rest[len(rest)-1]; last.Op == syntax.OpEndText {
		if all, ok := product(rest[:len(rest)-1]); ok {
			return "", all, true
		}
	}
	var b strings.Builder
	for _, r := range rest {
		if !isPlain(r) {
			break
		}
		b.WriteString(string(r.Rune))
	}
	return b.String(), nil, false
}

// product gives the strings that patterns match one after the other, if they
// are at most maxExact.
func product(res []*syntax.Regexp) ([]string, bool) {
	all := []string{""}
	for _, re := range res {
		each, ok := literals(re)
		if !ok || len(all)*len(each) > maxExact {
			return nil, false
		}
		next := make([]string, 0, len(all)*len(each))
		for _, a := range all {
			for _, b := range each {
				next = append(next, a+b)
			}
		}
		all = next
	}
	return all, true
}

// firstSurrogate begins the runes that are none by themselves.
const firstSurrogate = 0xD800

// isPlain reports whether a pattern is a string that it matches and no other:
// U+FFFD matches bytes that are no UTF-8, too.
func isPlain(re *syntax.Regexp) bool {
	return re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0 && !slices.Contains(re.Rune, utf8.RuneError)
}

// literals gives the strings that a pattern matches, if they are at most maxExact.
func literals(re *syntax.Regexp) (all []string, ok bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpLiteral:
		return []string{string(re.Rune)}, isPlain(re)
	case syntax.OpCapture:
		return literals(re.Sub[0])
	case syntax.OpConcat:
		return product(re.Sub)
	case syntax.OpQuest:
		all, ok = literals(re.Sub[0])
		return append(all, ""), ok && len(all) < maxExact
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			lo, hi := re.Rune[i], re.Rune[i+1]
			if int(hi-lo)+len(all) >= maxExact || lo <= utf8.RuneError && hi >= firstSurrogate {
				return nil, false // see isPlain
			}
			for r := lo; r <= hi; r++ {
				all = append(all, string(r))
			}
		}
		return all, true
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			each, ok := literals(sub)
			if !ok || len(all)+len(each) > maxExact {
				return nil, false
			}
			all = append(all, each...)
		}
		return all, true
	}
	return nil, false
}
