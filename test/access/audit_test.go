package access

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/test/harness"
)

// everyones matches the statements that are not recorded: they change nothing but
// points, and show a user what is his.
var everyones = regexp.MustCompile(`^(SELECT|EXPLAIN|SHOW (DATABASES|RETENTION|MEASUREMENT|SERIES|TAG|FIELD|CONTINUOUS|QUERIES))`)

// TestEachStatementOfAnAdministratorIsRecordedOnce runs every statement of the
// matrix, and statements with names that try to be something else in a file.
func TestEachStatementOfAnAdministratorIsRecordedOnce(t *testing.T) {
	dir := t.TempDir()
	s := start(t)(harness.Start(harness.Build(t), dir, "--http-auth-enabled", "true"))
	log := &auditLog{file: filepath.Join(dir, "audit", "audit.log")}
	log.next(t)
	for _, e := range readMatrix(t, file).entries {
		text, in := e.text("admin", "own")
		want := 1
		if everyones.MatchString(text) {
			want = 0
		}
		s.ask(t, "admin", text, in)
		if got := log.next(t); len(got) != want || want == 1 && (got[0]["user"] != "user_admin" || got[0]["statement"] == nil) {
			t.Errorf("%s, as admin: recorded %v, want %d lines", text, got, want)
		}
		s.ask(t, "none", text, in)
		got := log.next(t)
		refused := len(got) == 1 && strings.HasPrefix(fmt.Sprint(got[0]["outcome"]), "refused: ")
		if !refused && text != "SHOW DATABASES" && text != "SHOW MEASUREMENTS ON *.*" {
			t.Errorf("%s, as none: recorded %v, want that it was refused", text, got)
		}
	}
	for _, name := range hostile {
		for _, text := range []string{
			"CREATE DATABASE " + influxql.QuoteIdent(name), "DROP DATABASE " + influxql.QuoteIdent(name),
			"CREATE USER " + influxql.QuoteIdent(name) + " WITH PASSWORD 'x'", "DROP USER " + influxql.QuoteIdent(name),
		} {
			s.ask(t, "admin", text, "")
			if got := log.next(t); len(got) != 1 || got[0]["action"] != strings.ToLower(strings.Join(strings.Fields(text)[:2], " ")) {
				t.Errorf("%q: recorded %v", text, got)
			}
		}
	}
	for _, path := range []string{"/varve/v1/status", "/varve/v1/limits?p=secret\n", "/varve/v1/limits?%70=secret", "/debug/pprof/cmdline"} {
		s.get(t, path)
		if got := log.next(t); len(got) != 1 || got[0]["action"] != "admin request" || strings.Contains(fmt.Sprint(got), "secret") {
			t.Errorf("GET %q: recorded %v", path, got)
		}
	}
}

// hostile is names that try to end the line or the string that they are in, or to
// command a terminal.
var hostile = []string{
	"a\nb", "a\n\nb", "a\n{\"action\":\"grant\",\"user\":\"root\",\"outcome\":\"ok\"}", `","outcome":"ok`, `"}` + "\n" + `{"x":"`, `\u000a`, `\`, `\\"`,
	"\x1b[2J\x1b[31mred", "\x1b]0;title\x07", "\u009b31m", "\x01", "\x7f\x7f\x7f", "\b\b\b\b", "\v\f", "\t", "\u2028\u2029", "\u202egnp.exe", "\ufeffbom", "</script><script>",
}

// auditLog is a file that grows.
type auditLog struct {
	file string
	read int
}

// next gives the lines since the last call: valid JSON, of characters that can be
// seen.
func (a *auditLog) next(t *testing.T) []map[string]any {
	t.Helper()
	b, err := os.ReadFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	b, a.read = b[a.read:], len(b)
	var lines []map[string]any
	for _, line := range bytes.SplitAfter(b, []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		text, whole := strings.CutSuffix(string(line), "\n")
		var fields map[string]any
		if err := json.Unmarshal([]byte(text), &fields); err != nil || !whole {
			t.Errorf("line %q: %v", line, err)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("line %q has what a terminal does not print", line)
		}
		lines = append(lines, fields)
	}
	return lines
}

func (s *server) get(t *testing.T, path string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL+strings.ReplaceAll(path, "\n", "%0A"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("user_admin", "user_admin")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET %s: %s", path, resp.Status)
	}
}
