package lineprotocol

import (
	"fmt"
	"strings"

	"github.com/varvedb/varve/model"
)

// refused collects the lines that cannot be parsed. It keeps the text of the
// first ones, up to a bound, and counts the others.
type refused struct {
	limit int
	lines int
	more  int // lines that are not in text
	text  strings.Builder
	kinds map[string]int // lines by Reason
}

// longLineText is how much is told of a line that is too long.
const longLineText = 1 << 10

// add notes a line and the reason.
func (r *refused) add(line []byte, reason error) {
	r.lines++
	why := reason.Error()
	if r.kinds == nil {
		r.kinds = make(map[string]int)
	}
	r.kinds[Reason(why)]++
	room := r.limit - r.text.Len()
	if room <= 0 {
		r.more++
		return
	}
	if len(line) > maxLineBytes {
		room = min(room, longLineText)
	}
	if r.text.Len() > 0 {
		r.text.WriteByte('\n')
	}
	r.text.WriteString("unable to parse '")
	if len(line) <= room {
		r.text.Write(line)
	} else {
		fmt.Fprintf(&r.text, "%s... (%d bytes)", line[:room], len(line))
	}
	r.text.WriteString("': ")
	if len(why) <= r.limit {
		r.text.WriteString(why)
	} else {
		fmt.Fprintf(&r.text, "%s... (%d bytes)", why[:r.limit], len(why))
	}
}

// err gives the lines as an error, or nil when there are none.
func (r *refused) err() error {
	if r.lines == 0 {
		return nil
	}
	if r.more > 0 {
		fmt.Fprintf(&r.text, "\n... and %d more lines that cannot be parsed", r.more)
	}
	return &model.Error{Kind: model.ErrInvalid, Text: r.text.String()}
}
