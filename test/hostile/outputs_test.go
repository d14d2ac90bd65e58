package hostile

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// script is what a page would run.
const script = `</script><script>alert(1)</script>`

// outputs are what an answer must not carry as it came, and paths that lead
// astray.
var outputs = []row{
	{
		number: 61, input: "</script> as a tag value, in JSON", want: `^200 application/json nosniff escaped$`,
		prepare: func(s *server) { s.write("m,t=" + script + " v=1 1") },
		send:    func(s *server) string { return s.escaped("application/json", "script>") },
	},
	{
		number: 62, input: "a formula as a tag value, in CSV", want: `^200 text/csv nosniff escaped$`,
		prepare: func(s *server) { s.write("m,t=\\=cmd|'/C\\ calc'!A0 v=1 1") },
		send:    func(s *server) string { return s.escaped("text/csv", "\n=") },
	},
	{
		number: 63, input: "U+2028 in a string, in JSON", want: `^200 application/json nosniff escaped$`,
		prepare: func(s *server) { s.write("m v=\"a\u2028b\" 1") },
		send:    func(s *server) string { return s.escaped("application/json", "\u2028") },
	},
	{
		number: 64, input: "</script> as a tag value, in MessagePack", want: `^200 application/x-msgpack nosniff escaped$`,
		prepare: func(s *server) { s.write("m,t=" + script + " v=1 1") },
		send:    func(s *server) string { return s.escaped("application/x-msgpack", "\n"+script) },
	},
	{
		number: 65, input: "</script> in a query that cannot be parsed", want: `^400 application/json nosniff escaped$`,
		send: func(s *server) string {
			return s.look("/query?q="+url.QueryEscape("SELECT "+script), "application/json", "script>")
		},
	},
	{
		number: 66, input: "line ends and escapes in an error that is a header, too", want: `^404 application/json nosniff escaped$`,
		send: func(s *server) string {
			bad := "x\r\nSet-Cookie: a=b\x1b[2J\x7f\u0085"
			return s.look("/write?db="+url.QueryEscape(bad), "application/json", "\nSet-Cookie")
		},
	},
	{
		number: 67, input: "DELETE /query, PUT /write, GET /write, TRACE /query", want: `^405 Method Not Allowed; 405 Method Not Allowed; 405 Method Not Allowed; 405 Method Not Allowed$`,
		send: func(s *server) string {
			return each(func(request string) string {
				method, path, _ := strings.Cut(request, " ")
				return s.send(method, path, nil)
			}, "DELETE /query?q=SHOW+DATABASES", "PUT /write?db="+s.db, "GET /write?db="+s.db, "TRACE /query")
		},
	},
	{
		number: 68, input: "db= twice: the first counts", want: `^204; 1 point$`,
		send: func(s *server) string {
			said := s.send(http.MethodPost, "/write?db="+s.db+"&db=nowhere", strings.NewReader("m v=1 1"))
			return fmt.Sprintf("%s; %d point", said, s.count("SELECT count(v) FROM m"))
		},
	},
	{
		number: 69, input: "//query, /query/, /QUERY", want: `^404 404 page not found; 404 404 page not found; 404 404 page not found$`,
		send: func(s *server) string { return each(s.rawGet, "//query?q=x", "/query/?q=x", "/QUERY?q=x") },
	},
	{
		number: 70, input: "/query/../debug/pprof/, /query/%2e%2e/debug/pprof/", want: `^40[14] .*; 40[14] `,
		send: func(s *server) string {
			return each(s.rawGet, "/query/../debug/pprof/", "/query/%2e%2e/debug/pprof/")
		},
	},
}

// rawGet asks for a path as it is written.
func (s *server) rawGet(path string) string {
	return s.raw("GET " + path + " HTTP/1.1\r\nHost: varve\r\nConnection: close\r\n\r\n")
}

// escaped asks for what is in m and says whether the answer is of the type that
// was asked for and without what must not be in it.
func (s *server) escaped(format, without string) string {
	return s.look("/query?db="+s.db+"&q="+url.QueryEscape("SELECT * FROM m"), format, without)
}

func (s *server) look(path, format, without string) string {
	method := http.MethodGet
	if strings.HasPrefix(path, "/write") {
		method = http.MethodPost
	}
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(""))
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Accept", format)
	resp, err := client.Do(req)
	if err != nil {
		return failure(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return failure(err)
	}
	text := resp.Status[:3] + " " + resp.Header.Get("Content-Type")
	if sniff := resp.Header.Get("X-Content-Type-Options"); sniff != "" {
		text += " " + sniff
	}
	for name, values := range resp.Header {
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n\x1b\x7f\u0085") || name == "Set-Cookie" {
				return fmt.Sprintf("%s, header %s: %q", text, name, v)
			}
		}
	}
	if strings.Contains(string(body), without) {
		return fmt.Sprintf("%s as it came", text)
	}
	return text + " escaped"
}

func validJSON(text string) bool {
	d := json.NewDecoder(strings.NewReader(text))
	var doc any
	return d.Decode(&doc) == nil
}
