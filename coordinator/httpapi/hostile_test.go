package httpapi

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

func TestWhatClientsSentIsNotReadAsAnythingElse(t *testing.T) {
	nasty := []string{
		"</script><script>alert(1)</script>", `<img src=x onerror=alert(1)>`, "\u2028\u2029", "=cmd|'/C calc'!A0", "a\"b\\c", "a,b\r\nc: d", "\xff\xfe", "\x00\x1b[2J",
	}
	for _, text := range nasty {
		b := newBench(t, nil)
		b.queries.answer = func(_ context.Context, _ query.Request, sink query.Sink) error {
			v := model.Column{Field: model.Field{Name: text, Type: model.String}}
			v.AppendText([]byte(text))
			if err := sink.Begin(query.Statement{}); err != nil {
				return err
			}
			if err := sink.Rows(&exec.Rows{Name: text, Tags: model.Tags{{Key: text, Value: text}}, Columns: []string{"time", text}, Times: []int64{1}, Values: []model.Column{v}}); err != nil {
				return err
			}
			return sink.End(query.Outcome{Err: invalid(text), Messages: []query.Message{{Level: "warning", Text: text}}})
		}
		w := b.do("GET", "/query?q=x", "")
		if !json.Valid(w.Body.Bytes()) || strings.ContainsAny(w.Body.String(), "<>\u2028\u2029\x00\x1b") {
			t.Errorf("%q in JSON: %q", text, w.Body)
		}
		w = b.do("GET", "/query?q=x", "", "Accept", "application/x-msgpack")
		if rest, err := msgp.Skip(w.Body.Bytes()); err != nil || len(rest) > 0 {
			t.Errorf("%q in MessagePack: %q, %v", text, w.Body, err)
		}
		for _, accept := range []string{"text/csv", "application/csv", "text/html", "application/x-msgpack"} {
			for _, target := range []string{"/query?q=x", "/query?q=x&params=" + "%3Cscript%3E", "/%3Cscript%3E"} {
				w := b.do("GET", target, "", "Accept", accept)
				kind := w.Header().Get("Content-Type")
				if w.Header().Get("X-Content-Type-Options") != "nosniff" || strings.Contains(kind, "html") || kind == "" {
					t.Errorf("%s as %s has the header %v", target, accept, w.Header())
				}
			}
		}
		w = b.do("POST", "/write?db=db&precision="+strings.Map(func(r rune) rune {
			if r <= ' ' || r > '~' || strings.ContainsRune("&#%;+", r) {
				return 'x'
			}
			return r
		}, text), "m v=1")
		if h := w.Header().Get("X-Influxdb-Error"); w.Code != 400 || strings.ContainsAny(h, "\r\n\x00\x1b") {
			t.Errorf("precision %q: %d %q", text, w.Code, h)
		}
		w = b.do("POST", "/write?db=db", text)
		if h := w.Header().Get("X-Influxdb-Error"); w.Code != 400 || strings.ContainsAny(h, "\r\n\x00\x1b") || len(h) > maxErrorHeader {
			t.Errorf("line %q: %d %q", text, w.Code, h)
		}
	}
}

func TestMethodsAndPathsAreTakenAsTheyAre(t *testing.T) {
	for _, c := range []struct {
		method, target string
		status         int
	}{
		{"DELETE", "/query?q=x", 405},
		{"HEAD", "/write?db=db", 405},
		{"TRACE", "/write?db=db", 405},
		{"GET", "/api/v1/prom/write?db=db", 405},
		{"GET", "/api/v1/prom/read?db=db", 405},
		{"GET", "/api/v2/delete", 405},
		{"PUT", "/api/v2/buckets/db%2Fautogen", 405},
		{"GET", "//query?q=x", 404},
		{"GET", "/./query?q=x", 404},
		{"GET", "/query/../debug/pprof", 404},
		{"GET", "/%2e%2e/query?q=x", 404},
		{"GET", "/QUERY?q=x", 404},
		{"GET", "/query%00?q=x", 404},
		{"POST", "/api/v2/write?bucket=..&precision=ns", 404},
		{"POST", "/api/v2/write?bucket=../..", 404},
		{"POST", "/write?db=db&precision=ns%00", 400},
		{"POST", "/write?db=db&precision=" + strings.Repeat("n", 10_000), 400},
		{"POST", "/write?db=db&db=no", 204}, // the first counts
		{"POST", "/write?db=no&db=db", 404},
		{"HEAD", "/livez", 200},
		{"HEAD", "/ping", 204},
	} {
		r := newBench(t, nil).do(c.method, c.target, "m v=1 1", "X-HTTP-Method-Override", "GET")
		if r.Code != c.status {
			t.Errorf("%s %.60s: %d %s, want %d", c.method, c.target, r.Code, r.Body, c.status)
		}
	}
}
