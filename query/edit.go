package query

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/influxdata/influxql"
)

// An edit is where the parser gets other text than the client wrote.
type edit struct {
	from, to int    // what it replaces
	with     string // has as many line ends

	// Where it ends as the parser counts, from 0, in the text that it gets, and by
	// how much its last line became shorter. Known once it is applied.
	line, char, shorter int
}

// apply puts edits, which do not overlap, into text.
func apply(text string, edits []edit) (string, []edit) {
	if len(edits) == 0 {
		return text, nil
	}
	slices.SortStableFunc(edits, func(x, y edit) int { return x.from - y.from })
	var (
		b         strings.Builder
		at        int
		line, col int // of position at, in the new text
	)
	advance := func(s string) {
		if n := strings.Count(s, "\n"); n > 0 {
			line += n
			col = 0
		}
		col += lastLine(s)
	}
	for i := range edits {
		e := &edits[i]
		b.WriteString(text[at:e.from])
		advance(text[at:e.from])
		b.WriteString(e.with)
		advance(e.with)
		e.line, e.char, e.shorter = line, col, lastLine(text[e.from:e.to])-lastLine(e.with)
		at = e.to
	}
	b.WriteString(text[at:])
	return b.String(), edits
}

// lastLine gives the characters behind the last line end.
func lastLine(s string) int { return utf8.RuneCountInString(s[strings.LastIndexByte(s, '\n')+1:]) }

// positionBefore gives a position of the edited text in the text before.
func positionBefore(pos influxql.Pos, edits []edit) influxql.Pos {
	char := pos.Char
	for _, e := range edits {
		if e.line == pos.Line && e.char <= char {
			pos.Char += e.shorter
		}
	}
	return pos
}
