package audit

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Event is one thing that is recorded. Empty fields are left out.
type Event struct {
	Action    string // in lower case, as "log in", "drop database"
	User      string // the name, as it was claimed where a log-in failed
	Address   string // of the client
	Request   string // its id
	Database  string
	Statement string // without passwords: see query.Redact
	Outcome   string // "ok", "refused: …", or the error
	// Anyone is set where anyone could cause the event as often as he likes, such as
	// a log-in that failed. Of these only so many are written in a time, see
	// Log.Record.
	Anyone bool
}

// Bounds of a line. What is longer is cut, and ends in an ellipsis.
const (
	maxName = 512     // of each of the other fields
	maxText = 8 << 10 // of Statement
	// maxLine is what a line can have: a byte takes up to six when it is escaped.
	maxLine = 6*(maxText+6*maxName) + 1<<10
)

// line gives the event as a line. left is how many events were left out before.
func (e *Event) line(now time.Time, left int) []byte {
	b, err := json.Marshal(struct {
		Time      time.Time `json:"time"`
		Action    string    `json:"action"`
		User      string    `json:"user,omitempty"`
		Address   string    `json:"address,omitempty"`
		Request   string    `json:"request,omitempty"`
		Database  string    `json:"database,omitempty"`
		Statement string    `json:"statement,omitempty"`
		Outcome   string    `json:"outcome,omitempty"`
		LeftOut   int       `json:"left_out,omitempty"`
	}{
		now.UTC(), cut(e.Action, maxName), cut(e.User, maxName), cut(e.Address, maxName), cut(e.Request, maxName),
		cut(e.Database, maxName), cut(e.Statement, maxText), cut(e.Outcome, maxName), left,
	})
	if err != nil {
		panic(err) // strings, a number and a time of this millennium
	}
	return append(escape(b), '\n')
}

// cut shortens s to about n bytes, at the end of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// escape makes JSON fit for a terminal: what is not printed as a character of its
// own, such as the controls from U+0080 and the marks that turn the direction of
// text, it escapes as JSON has it. All of it is in strings.
func escape(b []byte) []byte {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if strings.IndexFunc(string(b), hidden) < 0 {
		return b
	}
	const digits = "0123456789abcdef"
	var out []byte
	for _, r := range string(b) {
		if !hidden(r) {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) {
			out = append(out, '\\', 'u', digits[u>>12], digits[u>>8&15], digits[u>>4&15], digits[u&15])
		}
	}
	return out
}
