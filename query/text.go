package query

import (
	"fmt"
	"strings"

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
	maxSubqueries = 8 // one in the other

	// The lexer below tells a regular expression from a division by what stands
	// before it. A text made so that it errs could hide parentheses from it, so
	// their bytes are bounded, too, wherever they are: far above what people
	// write, far below what the stack holds.
	maxOpenBytes = 10_000
	maxSignBytes = 200_000
)

// prepare checks a text before it is parsed and gives the text to parse, with
// what the client wrote otherwise.
func prepare(text string, extensions bool) (string, []edit, error) {
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
		selects    []int // depth of the open parentheses of subqueries
		opened     bool  // whether the last token opened a parenthesis
		regexes    int   // work of compiling them
		rewrite    = rewriter{text: text, extensions: extensions, frames: make([]frame, 1, 8)}
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
		switch {
		case tok == "(":
			depth++
		case tok == ")":
			if n := len(selects); n > 0 && selects[n-1] == depth {
				selects = selects[:n-1]
			}
			depth--
		case tok == ";":
			depth, selects = 0, selects[:0]
			statements++
		case lx.kind == regex:
			if len(tok) > maxRegexBytes {
				return "", nil, tooComplex("a regular expression of %d bytes, the limit is %d", len(tok), maxRegexBytes)
			}
			if regexes += regexWork(regexSource(tok), maxRegexWork-regexes); regexes > maxRegexWork {
				return "", nil, errRegexes
			}
		case opened && lx.kind == word && strings.EqualFold(tok, "select"):
			selects = append(selects, depth)
		}
		opened = tok == "("
		switch {
		case depth > maxDepth || signs > maxDepth:
			return "", nil, tooComplex("nested more than %d deep", maxDepth)
		case len(selects) > maxSubqueries:
			return "", nil, tooComplex("subqueries nested more than %d deep", maxSubqueries)
		}
		rewrite.token(token{kind: lx.kind, start: lx.start, end: lx.end})
	}
	if statements > maxStatements+1 { // the last may be empty
		return "", nil, tooComplex("more than %d statements", maxStatements)
	}
	rewrite.token(token{start: len(text), end: len(text)})
	text, edits := apply(text, rewrite.edits)
	return text, edits, nil
}

var errRegexes = tooComplex("regular expressions that are too large when compiled")

// checkParams refuses values for $name that cost too much to parse.
func checkParams(params map[string]any) error {
	work := 0
	for _, v := range params {
		if m, ok := v.(map[string]any); ok {
			if source, ok := m["regex"].(string); ok {
				if work += regexWork(source, maxRegexWork-work); work > maxRegexWork || len(source) > maxRegexBytes {
					return errRegexes
				}
			}
		}
	}
	return nil
}

func tooComplex(format string, args ...any) error {
	return &model.Error{Kind: model.ErrInvalid, Text: "query too complex: " + fmt.Sprintf(format, args...)}
}

// parseError gives the text of a parser's error as InfluxDB 1.8 has it.
// It does not repeat a password that stood in the wrong place.
func parseError(err error, text string, edits []edit) error {
	if pe, ok := err.(*influxql.ParseError); ok { //nolint:errorlint // the parser wraps nothing
		fixed := *pe
		fixed.Pos = positionBefore(pe.Pos, edits)
		if strings.Contains(text, pe.Found) && !strings.Contains(Redact(text), pe.Found) {
			fixed.Found = Redacted
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
