package hostile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// patience is how long an answer is waited for.
const patience = 75 * time.Second

// client keeps no connections: what one row does to its connection is none of
// the next row's.
var client = &http.Client{
	Timeout:       patience,
	Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send sends a request and gives what came in a few words.
func (s *server) send(method, path string, body io.Reader, header ...string) string {
	status, text := s.exchange(method, path, body, header...)
	return summary(status, text)
}

// exchange sends a request and gives what came; status 0 is none, with the
// reason. Of a long answer the beginning is given.
func (s *server) exchange(method, path string, body io.Reader, header ...string) (status int, text string) {
	req, err := http.NewRequest(method, s.URL+path, body)
	if err != nil {
		return 0, err.Error()
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, failure(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, readAnswer(resp)
}

// readAnswer reads an answer to its end. What is refused is kept whole, of the
// rest only what it is about.
func readAnswer(resp *http.Response) string {
	keptBytes := int64(1 << 20)
	if resp.StatusCode >= http.StatusBadRequest {
		keptBytes = 2 * maxBody
	}
	kept, err := io.ReadAll(io.LimitReader(resp.Body, keptBytes))
	if err == nil && int64(len(kept)) == keptBytes {
		var more int64
		found := errorFinder{}
		more, err = io.Copy(&found, resp.Body)
		if err == nil {
			if found.text != "" {
				return fmt.Sprintf("%.0f MB and then %s", float64(more+keptBytes)/1e6, found.text)
			}
			return fmt.Sprintf("%.0f MB", float64(more+keptBytes)/1e6)
		}
	}
	if err != nil {
		return fmt.Sprintf("%d bytes and then %s", len(kept), failure(err))
	}
	return string(kept)
}

var anyError = regexp.MustCompile(`"error":"((?:[^"\\]|\\.)*)"`)

// errorFinder keeps the last error of an answer that passes.
type errorFinder struct{ text string }

func (f *errorFinder) Write(p []byte) (int, error) {
	if m := anyError.FindSubmatch(p); m != nil {
		f.text = string(m[1])
	}
	return len(p), nil
}

// failure says how a request ended that was not answered.
func failure(err error) string {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("no end in %v", patience)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(err.Error(), "reset by peer"), strings.Contains(err.Error(), "broken pipe"):
		return "closed without an answer"
	}
	var op *url.Error
	if errors.As(err, &op) {
		err = op.Err
	}
	return err.Error()
}

// summary gives an answer in a few words: its status and its error.
func summary(status int, text string) string {
	if status == 0 {
		return short(text)
	}
	var doc struct {
		Error   string
		Results []struct{ Error string }
	}
	if json.NewDecoder(strings.NewReader(text)).Decode(&doc) == nil {
		text = doc.Error
		for _, r := range doc.Results {
			if text == "" {
				text = r.Error
			}
		}
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, short(text)))
}

// short makes one line of not too many bytes of a text.
func short(text string) string {
	const most = 160
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return '?'
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = text[:most*2/3] + "…" + text[len(text)-most/3:]
	}
	return strings.ToValidUTF8(text, "?")
}

// write sends lines to the row's database.
func (s *server) write(lines string) string { return s.writeWith(lines) }

// writeWith has parameters, names and values in turn.
func (s *server) writeWith(lines string, parameters ...string) string {
	return s.writeBody(strings.NewReader(lines), parameters...)
}

func (s *server) writeBody(body io.Reader, parameters ...string) string {
	v := url.Values{"db": {s.db}}
	for i := 0; i < len(parameters); i += 2 {
		v.Set(parameters[i], parameters[i+1])
	}
	return s.send(http.MethodPost, "/write?"+v.Encode(), body)
}

// ask sends InfluxQL by POST, chunked, and gives what came in a few words.
func (s *server) ask(q string, parameters ...string) string {
	return summary(s.query(q, append(parameters, "chunked", "true")...))
}

// query sends InfluxQL by POST and gives what came.
func (s *server) query(q string, parameters ...string) (int, string) {
	v := url.Values{"db": {s.db}, "q": {q}}
	for i := 0; i < len(parameters); i += 2 {
		v.Set(parameters[i], parameters[i+1])
	}
	return s.exchange(http.MethodPost, "/query", strings.NewReader(v.Encode()), "Content-Type", "application/x-www-form-urlencoded")
}

// raw sends bytes as they are and gives the first answer.
func (s *server) raw(request string) string {
	conn, err := s.dial()
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, request) }()
	return s.answerOn(conn)
}

func (s *server) dial() (net.Conn, error) {
	return net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
}

// answerOn reads an answer, or that there is none.
func (s *server) answerOn(conn net.Conn) string {
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	r := bufio.NewReader(conn)
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return failure(err)
		}
		if resp.StatusCode == http.StatusContinue {
			continue
		}
		var b bytes.Buffer
		_, _ = io.Copy(&b, io.LimitReader(resp.Body, maxBody))
		return summary(resp.StatusCode, b.String())
	}
}

// count gives the number that a query answers with in its last column, and -1 if
// it does not.
func (s *server) count(q string) int {
	rows, err := s.Query(s.db, q)
	if err != nil {
		s.t.Logf("%s: %v", q, err)
		return -1
	}
	if len(rows) == 0 {
		return 0
	}
	n, _ := rows[0][len(rows[0])-1].(float64)
	return int(n)
}
