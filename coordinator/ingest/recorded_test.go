package ingest

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/coordinator/ingest/collectd"
	"github.com/varvedb/varve/coordinator/ingest/point"
)

// section is a part of a recording, from "== name" on.
type section struct {
	name  string
	lines []string
}

// readSections reads a file of testdata. Lines that begin with # are comments,
// and blank lines are left out.
func readSections(t testing.TB, name string) []section {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var out []section
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "== "):
			out = append(out, section{name: line[3:]})
		case line == "", strings.HasPrefix(line, "#"), len(out) == 0:
		default:
			at := &out[len(out)-1]
			at.lines = append(at.lines, line)
		}
	}
	return out
}

// recordedAt is the time of points that had none when the recordings were made.
var recordedAt = time.Unix(1795346270, 0)

// canonical gives a row of a recording as rowsOf does.
func canonical(row string) string {
	words := strings.Split(row, " ")
	n := len(words)
	if words[n-1] == "now" {
		words[n-1] = fmt.Sprint(recordedAt.UnixNano())
	}
	fields := strings.Split(words[n-2], ",")
	if len(fields) > strings.Count(words[n-2], "=") {
		fields = []string{words[n-2]} // a name with a comma
	}
	for i, f := range fields {
		eq := strings.LastIndexByte(f, '=')
		v, err := strconv.ParseFloat(f[eq+1:], 64)
		if err != nil {
			panic(row)
		}
		fields[i] = fmt.Sprintf("%s=%v", f[:eq], v)
	}
	words[n-2] = strings.Join(fields, ",")
	return strings.Join(words, " ")
}

// compare compares rows with those of a recording. different gives the row that
// takes the place of one in the recording, "" where none does.
func compare(t *testing.T, what string, rows *point.Rows, stored []string, different func(string) string) {
	t.Helper()
	var want []string
	for _, row := range stored {
		if different != nil {
			row = different(row)
		}
		if row != "" {
			want = append(want, canonical(row))
		}
	}
	slices.Sort(want)
	want = slices.Compact(want)
	got := rowsOf(rows.Take())
	for _, row := range want {
		if !slices.Contains(got, row) {
			t.Errorf("%s: missing %s", what, row)
		}
	}
	for _, row := range got {
		if !slices.Contains(want, row) {
			t.Errorf("%s: unexpected %s", what, row)
		}
	}
}

// offline gives listeners without a port.
func offline(w *fakeWriter) *bench {
	b := &bench{writer: w, databases: &fakeDatabases{of: map[string][]string{}}, registry: prometheus.NewRegistry()}
	b.Service = &Service{
		parts: Parts{Writer: w, Databases: b.databases}, metrics: newMetrics(b.registry), log: slog.New(slog.DiscardHandler),
	}
	return b
}

func TestGraphiteLinesBecomeWhatInfluxDBMakesOfThem(t *testing.T) {
	different := func(row string) string {
		switch {
		case strings.HasSuffix(row, " -500000000"):
			// InfluxDB adds the fraction of a second before 1970 on the wrong side.
			return strings.TrimSuffix(row, "-500000000") + "-1500000000"
		case strings.HasSuffix(row, " 1500000018000000000"), strings.HasPrefix(row, `a\,any=b `):
			// What ends in a backslash cannot be told from an escaped separator.
			return ""
		}
		return row
	}
	var input []string
	var cfg Graphite
	for _, s := range readSections(t, "graphite.txt") {
		switch s.name {
		case "input":
			input = s.lines
		case "case":
			cfg = DefaultGraphite()
			for _, line := range s.lines {
				key, value, _ := strings.Cut(line, " ")
				switch key {
				case "template":
					cfg.Templates = append(cfg.Templates, value)
				case "tag":
					cfg.Tags = append(cfg.Tags, value)
				case "separator":
					cfg.Separator = value
				}
			}
		case "stored":
			parser, err := cfg.parser()
			if err != nil {
				t.Fatal(err)
			}
			rows := point.NewRows(0)
			p := offline(nil).newPipe(cfg.target(), "tcp")
			p.decodeGraphite(parser, chunk{data: []byte(strings.Join(input, "\n")), at: recordedAt}, rows)
			compare(t, fmt.Sprint(cfg.Templates), rows, s.lines, different)
		}
	}
}

func TestTelnetLinesBecomeWhatInfluxDBMakesOfThem(t *testing.T) {
	different := func(row string) string {
		switch {
		case strings.HasSuffix(row, " 1500000001000123000"):
			// InfluxDB takes milliseconds for microseconds.
			return strings.TrimSuffix(row, "1500000001000123000") + "1500000001123000000"
		case row == "a value=1 0":
			// InfluxDB takes ten characters that are no number for the time 0.
			return ""
		case strings.Contains(row, `k2=a\ `), strings.HasPrefix(row, `a\,k=v `):
			// What ends in a backslash cannot be told from an escaped separator.
			return ""
		}
		return row
	}
	var input []string
	for _, s := range readSections(t, "opentsdb.txt") {
		if s.name == "input" {
			input = s.lines
			continue
		}
		rows := point.NewRows(0)
		tel := &telnet{pipe: offline(nil).newPipe(DefaultOpenTSDB().target(), "tcp")}
		tel.decode(chunk{data: []byte(strings.Join(input, "\r\n"))}, rows)
		compare(t, "telnet", rows, s.lines, different)
	}
}

func TestPutIsAnsweredAsInfluxDBDoes(t *testing.T) {
	f, err := os.Open("testdata/opentsdb.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var c struct {
			Body, Answer string
			Status       int
			Stored       []string
			Instead      *struct { // of what InfluxDB does
				Why    string
				Status int
				Stored []string
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if c.Instead != nil {
			c.Status, c.Stored = c.Instead.Status, c.Instead.Stored
		}
		w := new(fakeWriter)
		put := newPutServer(offline(w).newPipe(DefaultOpenTSDB().target(), "tcp"), 0, slog.New(slog.DiscardHandler))
		answer := httptest.NewRecorder()
		put.http.Handler.ServeHTTP(answer, httptest.NewRequest("POST", "/api/put", strings.NewReader(c.Body)))
		put.close()
		if text := strings.TrimSpace(answer.Body.String()); answer.Code != c.Status || c.Instead == nil && text != c.Answer {
			t.Errorf("%s: answered %d %q, want %d %q", c.Body, answer.Code, text, c.Status, c.Answer)
		}
		var want []string
		for _, row := range c.Stored {
			want = append(want, canonical(row))
		}
		if got := w.sorted(); !slices.Equal(got, want) {
			t.Errorf("%s: stored %q, want %q", c.Body, got, want)
		}
	}
}

func TestCollectdPacketsBecomeWhatInfluxDBMakesOfThem(t *testing.T) {
	types, err := collectd.ReadTypes("testdata/types.db")
	if err != nil {
		t.Fatal(err)
	}
	auth := filepath.Join(t.TempDir(), "auth")
	if err := os.WriteFile(auth, []byte("# users\nalice: w0nderl4nd\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	passwords, err := collectd.ReadPasswords(auth)
	if err != nil {
		t.Fatal(err)
	}
	packets := map[string][]string{}
	for _, s := range readSections(t, "collectd.txt") {
		packets[s.name] = s.lines
	}
	for _, c := range []struct {
		name   string
		parser collectd.Parser
		takes  []string
	}{
		{"split", collectd.Parser{}, []string{"none"}},
		{"join", collectd.Parser{Join: true}, []string{"none"}},
		{"sign", collectd.Parser{Security: collectd.Signed}, []string{"none", "sign"}},
		{"encrypt", collectd.Parser{Security: collectd.Encrypted}, []string{"none", "sign", "encrypt"}},
	} {
		c.parser.Types, c.parser.Passwords = types, passwords
		p := offline(nil).newPipe(DefaultCollectd().target(), "udp")
		rows := point.NewRows(0)
		for _, kind := range c.takes {
			for _, text := range packets[kind] {
				packet, err := hex.DecodeString(text)
				if err != nil {
					t.Fatal(err)
				}
				p.decodeCollectd(&c.parser, chunk{data: packet, at: recordedAt}, rows)
			}
		}
		compare(t, c.name, rows, packets["stored "+c.name], nil)
	}
}
