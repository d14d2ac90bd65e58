package httpapi

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/varvedb/varve/query"
)

// format is a way to write answers.
type format struct {
	contentType string
	errorBody   func(text string, pretty bool) []byte
	encoder     func(o *output, opt encoding) encoder
	saysPartial bool // it can say that rows may be missing
}

// encoder writes results into an output as they come.
type encoder interface {
	query.Sink
	// partial marks the result of the current statement as cut short.
	partial()
	// close ends the document. It is called once, after all statements.
	close() error
}

// encoding is what a request asks of its answer.
type encoding struct {
	chunked bool
	pretty  bool
	epoch   int64 // the unit of times in nanoseconds, or 0 for the format's own way
}

// formats is in order of preference.
var formats = []format{
	{"application/json", jsonError, newJSONEncoder, true},
	{"application/csv", csvError, newCSVEncoder, false},
	{"text/csv", csvError, newCSVEncoder, false},
	{"application/x-msgpack", msgpackError, newMsgpackEncoder, true},
}

// accepted gives the format that a client likes best, JSON if it likes none.
func accepted(r *http.Request) format {
	accept := r.Header.Values("Accept")
	if len(accept) == 0 {
		return formats[0]
	}
	type wish struct {
		kind, sub string
		q         float64
	}
	var wishes []wish
	for _, part := range strings.Split(strings.Join(accept, ","), ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		kind, sub, ok := strings.Cut(name, "/")
		if !ok && name == "*" {
			sub = "*"
		}
		w := wish{kind: kind, sub: sub, q: 1}
		if v, ok := params["q"]; ok {
			w.q, _ = strconv.ParseFloat(v, 64) // 0 when it is none
		}
		wishes = append(wishes, w)
	}
	slices.SortStableFunc(wishes, func(a, b wish) int {
		switch {
		case a.q > b.q:
			return -1
		case a.q < b.q:
			return 1
		}
		return 0
	})
	for _, w := range wishes {
		for _, f := range formats {
			kind, sub, _ := strings.Cut(f.contentType, "/")
			if (w.kind == "*" || w.kind == kind) && (w.sub == "*" || w.sub == sub) {
				return f
			}
		}
	}
	return formats[0]
}

// pretty reports whether JSON is to be indented. Only "true" in the URL counts.
func pretty(r *http.Request) bool { return r.URL.Query().Get("pretty") == "true" }

// epochUnit reads the epoch parameter. As in InfluxDB, what it does not know
// means nanoseconds.
func epochUnit(s string) int64 {
	switch s {
	case "":
		return 0
	case "u":
		return int64(time.Microsecond)
	case "ms":
		return int64(time.Millisecond)
	case "s":
		return int64(time.Second)
	case "m":
		return int64(time.Minute)
	case "h":
		return int64(time.Hour)
	}
	return 1
}
