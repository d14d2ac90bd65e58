package httpapi

import (
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

func TestAccessLogHasInfluxDBsFormat(t *testing.T) {
	r := httptest.NewRequest("GET", "/ping?u=bob", nil)
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header.Set("Referer", "https://h:8086/ui/?a=b%20c")
	r.Header.Set("User-Agent", `Telegraf/1.30 "x"`+"\n")
	w := httptest.NewRecorder()
	c := echo.New().NewContext(r, w)
	c.Response().Header().Set("Request-Id", "id")
	if err := c.NoContent(204); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 21, 19, 56, 21, 0, time.UTC)
	want := `10.0.0.1 - bob [21/Nov/2026:19:56:21 +0000] "GET /ping?u=bob HTTP/1.1" 204 0 "https://h:8086/ui/?a=b%20c" "Telegraf/1.30 \"x\"\x0a" id 1234`
	if got := accessLine(c, at, 1234*time.Microsecond); got != want {
		t.Errorf("line\n%s\nwant\n%s", got, want)
	}
}

func TestAccessLogShowsNoSecret(t *testing.T) {
	const secret = "canary"
	statement := url.QueryEscape("CREATE USER u WITH PASSWORD '" + secret + "'")
	for _, target := range []string{
		"/query?u=a&p=" + secret, "/query?P=" + secret + "&p=x", "/query?q=" + statement,
		"/query?q=a;b&p=" + secret, "/query?p=%zz" + secret, "/query?%70=" + secret,
		"/query?password=" + secret, "/query?token=" + secret, "/query?access_token=" + secret,
	} {
		c := echo.New().NewContext(httptest.NewRequest("GET", target, nil), httptest.NewRecorder())
		if got := accessLine(c, time.Now(), 0); strings.Contains(got, secret) {
			t.Errorf("%s is logged as %s", target, got)
		}
	}
	for _, referer := range []string{
		"http://h:8086/query?u=a&p=" + secret, "http://h:8086/query?q=" + statement, "http://a:" + secret + "@h/", "/?a;p=" + secret, "http://h/%zz?p=" + secret,
	} {
		r := httptest.NewRequest("GET", "/favicon.ico", nil)
		r.Header.Set("Referer", referer)
		if got := accessLine(echo.New().NewContext(r, httptest.NewRecorder()), time.Now(), 0); strings.Contains(got, secret) {
			t.Errorf("the referer %s is logged as %s", referer, got)
		}
	}
	r := httptest.NewRequest("POST", "/query", strings.NewReader("p="+secret+"&q="+statement))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("bob", secret)
	_ = r.ParseForm()
	got := accessLine(echo.New().NewContext(r, httptest.NewRecorder()), time.Now(), 0)
	if strings.Contains(got, secret) || !strings.Contains(got, "{'p': '[REDACTED]'}, {'q': 'CREATE USER u") || !strings.Contains(got, "- bob [") {
		t.Errorf("a form is logged as %s", got)
	}
}

func TestAccessLogIsForTheStatusesItIsAskedFor(t *testing.T) {
	for _, c := range []struct {
		filters []string
		status  int
		path    string
		want    bool
	}{
		{nil, 204, "/write", false},
		{nil, 204, "/ping", true},
		{[]string{"5xx"}, 503, "/query", true},
		{[]string{"5xx"}, 400, "/query", false},
		{[]string{"40X", "500"}, 404, "/query", true},
		{[]string{"40X", "500"}, 413, "/query", false},
	} {
		l := &accessLog{cfg: Config{LogStatuses: c.filters, SuppressWriteLog: true}}
		e := echo.New().NewContext(httptest.NewRequest("GET", c.path, nil), httptest.NewRecorder())
		e.SetPath(c.path)
		e.Response().Status = c.status
		if l.wants(e) != c.want {
			t.Errorf("filters %v, status %d of %s: %v", c.filters, c.status, c.path, !c.want)
		}
	}
	for filter, valid := range map[string]bool{"200": true, "4xx": true, "50X": true, "xxx": false, "2": false, "600": false, "5x0": false} {
		if validStatuses([]string{filter}) != valid {
			t.Errorf("filter %s: valid %v", filter, !valid)
		}
	}
}

// stuck is a log that takes nothing until it is let go.
type stuck struct {
	let   chan struct{}
	lines int
}

func (s *stuck) Write(b []byte) (int, error) {
	<-s.let
	s.lines++
	return len(b), nil
}

func TestRequestsDoNotWaitForTheAccessLog(t *testing.T) {
	to := &stuck{let: make(chan struct{})}
	dropped := prometheus.NewCounter(prometheus.CounterOpts{Name: "dropped"})
	l := newAccessLog(Config{}, to, dropped)
	c := echo.New().NewContext(httptest.NewRequest("GET", "/ping", nil), httptest.NewRecorder())
	for range 2 * accessLines {
		l.log(c, time.Now())
	}
	close(to.let)
	l.close()
	l.close()
	l.log(c, time.Now())
	if to.lines < accessLines || to.lines > accessLines+1 {
		t.Errorf("%d lines were written", to.lines)
	}
}

func TestEveryRequestIsLoggedOnce(t *testing.T) {
	line := regexp.MustCompile(`^\[httpd\] 192\.0\.2\.1 - - \[.*\] "GET /nosuch HTTP/1\.1" 404 19 "-" "-" \S+ \d+\n$`)
	var log strings.Builder
	b := newBench(t, nil)
	l := newAccessLog(Config{LogPrefix: "[httpd] "}, &log, prometheus.NewCounter(prometheus.CounterOpts{Name: "dropped"}))
	b.access = l
	b.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/nosuch", nil))
	l.close()
	if !line.MatchString(log.String()) {
		t.Errorf("the log is %q", log.String())
	}
}
