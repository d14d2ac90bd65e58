package httpapi

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/query"
)

// accessLog writes a line for each request, in InfluxDB's format: the common log
// format, then the client's referrer and agent, the request's id and how long it
// took, in microseconds. A nil accessLog writes nothing.
//
// Requests never wait for it: lines that are not taken fast enough are dropped
// and counted.
type accessLog struct {
	cfg     Config
	to      io.Writer
	dropped prometheus.Counter

	mu    sync.RWMutex // protects lines from being closed while something is sent
	lines chan string  // nil once it is closed
	done  chan struct{}
}

const (
	// accessLines is how many lines wait at most.
	accessLines = 1024
	// maxAccessText bounds each text of a client in a line.
	maxAccessText = 2048
	redacted      = "[REDACTED]"
)

func newAccessLog(cfg Config, to io.Writer, dropped prometheus.Counter) *accessLog {
	l := &accessLog{cfg: cfg, to: to, dropped: dropped, lines: make(chan string, accessLines), done: make(chan struct{})}
	go l.write(l.lines)
	return l
}

func (l *accessLog) write(lines <-chan string) {
	defer close(l.done)
	for line := range lines {
		if _, err := io.WriteString(l.to, line); err != nil {
			l.dropped.Inc()
		}
	}
}

// close writes what waits and ends. It is safe to call twice.
func (l *accessLog) close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	if l.lines != nil {
		close(l.lines)
		l.lines = nil
	}
	l.mu.Unlock()
	<-l.done
}

// log writes the line of a request that was answered.
func (l *accessLog) log(c echo.Context, start time.Time) {
	if l == nil || !l.wants(c) {
		return
	}
	line := l.cfg.LogPrefix + accessLine(c, start, time.Since(start)) + "\n"
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.lines == nil {
		return
	}
	select {
	case l.lines <- line:
	default:
		l.dropped.Inc()
	}
}

func (l *accessLog) wants(c echo.Context) bool {
	if l.cfg.SuppressWriteLog && slices.Contains([]string{"/write", "/api/v2/write"}, c.Path()) {
		return false
	}
	status := strconv.Itoa(c.Response().Status)
	return len(l.cfg.LogStatuses) == 0 || slices.ContainsFunc(l.cfg.LogStatuses, func(filter string) bool {
		return strings.HasPrefix(status, strings.TrimRight(filter, "xX"))
	})
}

var statusFilter = regexp.MustCompile(`^[1-5](\d\d|\d[xX]|[xX][xX])$`)

func validStatuses(filters []string) bool {
	return !slices.ContainsFunc(filters, func(f string) bool { return !statusFilter.MatchString(f) })
}

// accessLine gives the line of a request.
func accessLine(c echo.Context, start time.Time, took time.Duration) string {
	r, w := c.Request(), c.Response()
	form := ""
	if r.Method == http.MethodPost { // InfluxDB shows the form of these
		form = " " + formText(r.PostForm)
	}
	return fmt.Sprintf(`%s - %s [%s] "%s %s %s%s" %d %d "%s" "%s" %s %d`,
		hostText(r), dash(quotable(userText(c))), start.Format("02/Jan/2006:15:04:05 -0700"),
		quotable(r.Method), quotable(uriText(r.URL)), r.Proto, form,
		w.Status, w.Size, dash(quotable(refererText(r.Referer()))), dash(quotable(r.UserAgent())),
		dash(w.Header().Get("Request-Id")), took.Microseconds())
}

// hostText gives where a request came from, and by which proxies.
func hostText(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	hosts := append(slices.Clone(r.Header["X-Forwarded-For"]), host)
	return quotable(strings.ReplaceAll(strings.Join(hosts, ","), " ", ""))
}

// userText gives who a request says it is from.
func userText(c echo.Context) string {
	if u := userOf(c); u != nil {
		return u.Name()
	}
	if u := c.QueryParam("u"); u != "" {
		return u
	}
	name, _, _ := c.Request().BasicAuth()
	return name
}

// uriText gives a URL without the secrets in its parameters. One whose
// parameters cannot be told apart may have them anywhere.
func uriText(u *url.URL) string {
	if u.RawQuery == "" {
		return u.EscapedPath()
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return u.EscapedPath() + "?" + redacted
	}
	hidden := withoutSecrets(values)
	if maps.EqualFunc(hidden, values, slices.Equal) {
		return u.EscapedPath() + "?" + u.RawQuery
	}
	return u.EscapedPath() + "?" + hidden.Encode()
}

// refererText gives the URL of the page that led here, without its secrets: a
// browser that was sent to /query?p=… names that with what it asks for next.
func refererText(referer string) string {
	u, err := url.Parse(referer)
	if err != nil {
		return redacted
	}
	u.User, u.Fragment = nil, ""
	if u.RawQuery == "" {
		return u.String()
	}
	text := uriText(&url.URL{RawQuery: u.RawQuery})
	u.RawQuery = ""
	return u.String() + text
}

// formText gives a form as InfluxDB prints it, without secrets.
func formText(form url.Values) string {
	form = withoutSecrets(form)
	var parts []string
	for name, values := range form {
		for i, v := range values {
			values[i] = "'" + v + "'"
		}
		parts = append(parts, fmt.Sprintf("{'%s': %s}", name, strings.Join(values, ", ")))
	}
	slices.Sort(parts)
	return quotable(strings.Join(parts, ", "))
}

// withoutSecrets gives parameters without passwords, neither as one of them nor
// in statements.
func withoutSecrets(values url.Values) url.Values {
	out := make(url.Values, len(values))
	for name, all := range values {
		switch strings.ToLower(name) {
		case "p", "password", "token", "access_token",
			"params": // which may be what a statement names
			out.Set(name, redacted)
		case "q":
			for _, text := range all {
				out.Add(name, query.Redact(text))
			}
		default:
			out[name] = slices.Clone(all)
		}
	}
	return out
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// quotable makes a text of a client fit to stand between quotes: short, on one
// line, without what would end it.
func quotable(s string) string {
	if len(s) > maxAccessText {
		s = s[:maxAccessText] + "..."
	}
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
