package query

import (
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxRegexWork bounds the work that compiling all regular expressions of a
// request is. The parser compiles them, which cannot be interrupted: without a
// bound 64 KB of `.{1000}` take half a gigabyte, and 64 KB of wide ranges that
// ignore case a minute. Within it compiling takes less than a second and 50 MB;
// a list of names that is as long as a regular expression may be takes two
// thirds of it.
const maxRegexWork = 200_000

// regexWork estimates the work of compiling a regular expression: the bytes of
// its source, the tables that it names, and the steps of the program that it
// becomes. It stops where that is more than atMost.
func regexWork(source string, atMost int) int {
	work := len(source)
	ignoresCase := strings.Contains(source, "(?")
	for i := 0; i < len(source) && work <= atMost; i++ {
		switch source[i] {
		case '\\':
			if i++; i < len(source) && source[i]|0x20 == 'p' {
				work += tableWork
			}
		case '-':
			if ignoresCase {
				work += foldedRange(source[:i], source[i+1:]) / foldedPerWork
			}
		}
	}
	if work > atMost {
		return work
	}
	// A syntax error is the parser's to tell.
	if re, err := syntax.Parse(source, syntax.Perl); err == nil {
		work += steps(re)
	}
	return work
}

// Units are about a microsecond, and 200 bytes, as measured with Go 1.26.
const (
	tableWork     = 64 // \pL has 1,300 numbers
	foldedPerWork = 25 // runes in a range for which the other case is looked up
)

// foldedRange gives how many runes a range has at most whose ends are on both
// sides of a minus sign, if it is one: what stands there may be no range.
func foldedRange(before, after string) int {
	low, _ := utf8.DecodeLastRuneInString(before)
	high, _ := utf8.DecodeRuneInString(after)
	if low < utf8.RuneSelf {
		low = 0 // it may be the end of an escape
	}
	if high == '\\' {
		high = escapedRune(after[1:])
	}
	return int(max(0, min(high, maxFolded)-low))
}

// maxFolded is beyond the last rune that has two cases.
const maxFolded = 0x1F000

// escapedRune gives the rune behind a backslash, or one that is not smaller.
func escapedRune(s string) rune {
	const maxOctal = 0o777
	hex, ok := strings.CutPrefix(s, "x{")
	if !ok {
		return maxOctal // \xFF, too
	}
	hex, _, _ = strings.Cut(hex, "}")
	n, err := strconv.ParseUint(hex, 16, 31)
	if err != nil {
		return maxFolded
	}
	return rune(n)
}

// steps gives about how many steps the program of a regular expression has.
// Package syntax has bounded its depth and its repetitions.
func steps(re *syntax.Regexp) int {
	n := 1
	for _, sub := range re.Sub {
		n += steps(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		n += len(re.Rune)
	case syntax.OpRepeat:
		n *= max(re.Min+1, re.Max)
	}
	return n
}

// regexSource gives the regular expression of a token with its slashes.
func regexSource(token string) string {
	token = strings.TrimPrefix(token, "/")
	token = strings.TrimSuffix(token, "/") // the last may be missing
	return strings.ReplaceAll(token, `\/`, `/`)
}
