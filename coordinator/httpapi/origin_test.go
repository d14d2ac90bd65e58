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

// Of a plain GET over HTTP to another machine, such as that of an image, browsers
// say nothing but that they are browsers.
func TestBrowsersChangeNothingByGETsThatDoNotSayWhoseTheyAre(t *testing.T) {
	const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	for _, c := range []struct {
		method  string
		header  []string
		foreign bool
	}{
		{"GET", []string{"User-Agent", browser}, true},
		{"GET", []string{"User-Agent", browser, "Sec-Fetch-Site", "cross-site"}, true},
		{"GET", []string{"User-Agent", browser, "Sec-Fetch-Site", "same-origin"}, false},
		{"GET", []string{"User-Agent", browser, "Sec-Fetch-Site", "none"}, false}, // typed in
		{"GET", []string{"User-Agent", "curl/7.88.1"}, false},
		{"GET", nil, false},
		// PowerShell calls itself one, too. Browsers say the origin of these.
		{"POST", []string{"User-Agent", "Mozilla/5.0 (Windows NT; en-US) WindowsPowerShell/5.1"}, false},
	} {
		b := newBench(t, nil)
		var got query.Request
		b.queries.answer = func(_ context.Context, r query.Request, _ query.Sink) error { got = r; return nil }
		b.do(c.method, "http://db.example:8086/query?q=x", "", c.header...)
		if got.Foreign != c.foreign {
			t.Errorf("%s %q: foreign %v", c.method, c.header, got.Foreign)
		}
	}
}
