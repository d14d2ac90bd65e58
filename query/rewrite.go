package query

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/query/plan"
)

// rewriter finds what the parser must get otherwise than the client wrote it:
//
//   - FUTURE and PAST are keywords of the parser but not of InfluxDB 1.8, where
//     they are good names for measurements and fields. They are put in quotes
//     except before LIMIT in statements about policies.
//   - GROUP BY time(1mo), time(1q) and time(1y), which InfluxDB refuses, have
//     their duration put in quotes.
//   - GROUP BY time(1h) fill(previous, 7d), which InfluxDB refuses, becomes
//     time(1h, 0s, 'previous 7d') fill(previous).
//   - In CREATE CONTINUOUS QUERY … the parser itself wants a time() that it knows,
//     so the two have one put before them, see withoutKnownTime.
//   - SHOW FIELD KEYS … WHERE, which InfluxDB refuses, becomes, if extensions are
//     wanted, SHOW TAG KEYS … WITH KEY = _fieldKeys WHERE.
//   - LIMIT, OFFSET, SLIMIT and SOFFSET above what an int of this machine holds,
//     of which the parser would take the lower bits, become the highest int.
//
// Package plan takes it from there, or showTagKeys.
type rewriter struct {
	text       string
	extensions bool
	edits      []edit
	words      [3]string // the first of the statement, lower case
	nWords     int
	second     token
	last       [5]token // the tokens before, the newest first
	frames     []frame  // one for each open parenthesis, and one outside of them
}

type token struct {
	kind       kind
	start, end int
}

// frame is what is known of the part between two parentheses.
type frame struct {
	groupBy bool // whether GROUP BY was the last clause that began
	isTime  bool // the arguments of the time() of a GROUP BY
	commas  int
	// start and close are where the last time() of the GROUP BY begins and ends, 0
	// for none, args is how many arguments that has, and every the first of them.
	start, close, args int
	every              token
}

func (r *rewriter) of(t token) string { return r.text[t.start:t.end] }

func (r *rewriter) is(t token, word string) bool { return strings.EqualFold(r.of(t), word) }

// token takes the next token; an empty one ends the text.
func (r *rewriter) token(t token) {
	r.keyword(t)
	r.limit(t)
	top := &r.frames[len(r.frames)-1]
	switch r.of(t) {
	case "(":
		r.frames = append(r.frames, frame{isTime: top.groupBy && r.is(r.last[0], "time"), start: r.last[0].start})
	case ")":
		r.close(t)
	case ",":
		r.argument(top)
	case ";":
		r.frames = append(r.frames[:0], frame{})
		r.words, r.nWords = [3]string{}, 0
	}
	if t.kind == word {
		r.clause(top, t)
	}
	copy(r.last[1:], r.last[:])
	r.last[0] = t
}

// clause notes which clause a word begins.
func (r *rewriter) clause(top *frame, t token) {
	switch word := strings.ToLower(r.of(t)); {
	case word == "by":
		top.groupBy = r.is(r.last[0], "group")
	case word == "order" || word == "limit" || word == "offset" || word == "slimit" || word == "soffset" || word == "end":
		top.groupBy = false
	case word == "select":
		*top = frame{}
	case word == "where" && r.extensions && r.words == [3]string{"show", "field", "keys"}:
		r.edits = append(
			r.edits,
			edit{from: r.second.start, to: r.second.end, with: "TAG"},
			edit{from: t.start, to: t.start, with: "WITH KEY = " + fieldKeysRef + " "},
		)
	}
	if r.nWords < len(r.words) {
		if r.nWords == 1 {
			r.second = t
		}
		r.words[r.nWords] = strings.ToLower(r.of(t))
		r.nWords++
	}
}

// keyword puts the token before in quotes if it is FUTURE or PAST and a name.
func (r *rewriter) keyword(t token) {
	if p := r.last[0]; p.kind == word && (r.is(p, "future") || r.is(p, "past")) {
		if !aboutPolicies(r.words) || !r.is(t, "limit") {
			r.edits = append(r.edits, edit{from: p.start, to: p.end, with: `"` + r.of(p) + `"`})
		}
	}
}

// limit lowers a number after LIMIT and its like to one that can be counted to.
func (r *rewriter) limit(t token) {
	switch strings.ToLower(r.of(r.last[0])) {
	case "limit", "offset", "slimit", "soffset":
		if n, err := strconv.ParseInt(r.of(t), 10, 64); err == nil && n > math.MaxInt {
			r.edits = append(r.edits, edit{from: t.start, to: t.end, with: strconv.Itoa(math.MaxInt)})
		}
	}
}

// aboutPolicies reports whether a statement that begins so may have a FUTURE
// LIMIT or PAST LIMIT.
func aboutPolicies(words [3]string) bool {
	switch words[0] {
	case "alter":
		return true
	case "create":
		return words[1] == "database" || words[1] == "retention"
	}
	return false
}

// close takes the end of a parenthesis.
func (r *rewriter) close(t token) {
	if len(r.frames) == 1 {
		return // one too many
	}
	closed := r.frames[len(r.frames)-1]
	r.frames = r.frames[:len(r.frames)-1]
	top := &r.frames[len(r.frames)-1]
	if closed.isTime {
		r.argument(&closed)
		r.calendar(&closed)
		top.start, top.close, top.args, top.every = closed.start, t.start, closed.commas, closed.every
		return
	}
	// fill ( previous , 7d )
	if top.close > 0 && closed.commas == 1 && r.is(r.last[1], ",") && r.is(r.last[2], "previous") && r.is(r.last[3], "(") {
		r.lookBack(top, t)
	}
}

// argument takes the end of an argument.
func (r *rewriter) argument(f *frame) {
	if f.isTime && f.commas == 0 && r.is(r.last[1], "(") {
		f.every = r.last[0]
	}
	f.commas++
}

var calendarRE = regexp.MustCompile(`^([0-9]{1,6})(mo|q|y)$`)

// calendar puts the first argument of the time() that has just ended in quotes
// if it is of the calendar.
func (r *rewriter) calendar(f *frame) {
	if m := calendarRE.FindStringSubmatch(r.of(f.every)); m != nil {
		r.knownTime(f.start, longest(m[1], m[2]))
		r.edits = append(r.edits, edit{from: f.every.start, to: f.every.end, with: "'" + m[0] + "'"})
	}
}

// lookBack moves the duration of a fill(previous, 7d) that ends at t.
func (r *rewriter) lookBack(top *frame, t token) {
	duration := r.of(r.last[0])
	if d, err := influxql.ParseDuration(duration); err != nil || d <= 0 || top.args > 2 || !r.is(r.last[4], "fill") {
		return
	}
	with := ", '" + plan.LookBack + duration + "'"
	if top.args == 1 {
		with = ", 0s" + with
	}
	if every := r.of(top.every); !calendarRE.MatchString(every) {
		r.knownTime(top.start, every)
	}
	r.edits = append(r.edits, edit{from: top.close, to: top.close, with: with}, edit{
		from: r.last[2].end, to: t.start, with: strings.Repeat("\n", strings.Count(r.text[r.last[2].end:t.start], "\n")),
	})
	top.close = 0
}
