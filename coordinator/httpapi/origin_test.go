package httpapi

import (
	"context"
	"testing"

	"github.com/varvedb/varve/query"
)

func TestPagesMayChangeWhatIsTheirs(t *testing.T) {
	for _, c := range []struct {
		host, header, value string
		allowed             []string
		foreign             bool
	}{
		{"127.0.0.1:8086", "", "", nil, false},
		{"127.0.0.1:8086", "Origin", "http://127.0.0.1:8086", nil, false},
		{"localhost:8086", "Origin", "http://localhost:8086", nil, false},
		{"[::1]:8086", "Origin", "http://[::1]:8086", nil, false},
		{"127.0.0.1:8086", "Origin", "http://127.0.0.1:3000", nil, true},
		{"127.0.0.1:8086", "Origin", "http://evil.example", nil, true},
		{"127.0.0.1:8086", "Origin", "null", nil, true},
		{"127.0.0.1:8086", "Origin", "http://evil.example:8086", []string{"http://evil.example"}, true},
		{"127.0.0.1:8086", "Origin", "http://good.example", []string{"http://good.example"}, false},
		{"127.0.0.1:8086", "Origin", "http://any.example", []string{"*"}, false},
		// A name that was made to lead here.
		{"evil.example:8086", "Origin", "http://evil.example:8086", nil, true},
		{"db.example:8086", "Origin", "http://db.example:8086", []string{"http://db.example:8086"}, false},
		{"127.0.0.1:8086", "Sec-Fetch-Site", "cross-site", nil, true},
		{"127.0.0.1:8086", "Sec-Fetch-Site", "same-site", nil, true},
		{"127.0.0.1:8086", "Sec-Fetch-Site", "same-origin", nil, false},
		{"127.0.0.1:8086", "Sec-Fetch-Site", "none", nil, false},
	} {
		b := newBench(t, func(cfg *Config) { cfg.AllowedOrigins = c.allowed })
		var got query.Request
		b.queries.answer = func(_ context.Context, r query.Request, _ query.Sink) error { got = r; return nil }
		header := []string{c.header, c.value}
		if c.header == "" {
			header = nil
		}
		b.do("GET", "http://"+c.host+"/query?q=x", "", header...)
		if got.Foreign != c.foreign {
			t.Errorf("%+v: a query is foreign: %v", c, got.Foreign)
		}
		want := 204
		if c.foreign {
			want = 403
		}
		if w := b.do("POST", "http://"+c.host+"/write?db=db", "m v=1", header...); w.Code != want || (b.writer.rows == 0) != c.foreign {
			t.Errorf("%+v: a write: %d %s", c, w.Code, w.Body)
		}
	}
}
