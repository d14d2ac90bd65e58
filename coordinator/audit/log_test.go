package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/influxdata/influxql"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

const name = "data/audit/audit.log"

var quiet = slog.New(slog.DiscardHandler)

func open(t *testing.T, fsys vfs.FS, cfg Config) *Log {
	t.Helper()
	l, err := Open(fsys, name, cfg, quiet, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// lines gives what is in a file, each line of which must be valid JSON.
func lines(t *testing.T, fsys vfs.FS, name string) []map[string]any {
	t.Helper()
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		t.Errorf("%s does not end with a line end: %q", name, b)
	}
	var all []map[string]any
	for _, line := range bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n")) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Errorf("%s: line %q: %v", name, line, err)
		}
		all = append(all, m)
	}
	return all
}

func TestLogWritesALineForEachEvent(t *testing.T) {
	fsys := vfs.NewMem()
	l := open(t, fsys, DefaultConfig())
	l.Statement(&query.Request{User: named("root"), Address: "10.0.0.7:53112", ID: "6f2e"}, "drop database", "d", `DROP DATABASE d`, nil)
	l.Statement(&query.Request{}, "drop shard", "", `DROP SHARD 7`, &model.Error{Kind: model.ErrUnavailable, Text: "timeout"})
	l.Record(Event{Action: "log in", User: "eve", Outcome: "refused: authorization failed", Anyone: true})
	got := lines(t, fsys, name)
	want := []map[string]any{
		{"action": "drop database", "user": "root", "address": "10.0.0.7:53112", "request": "6f2e", "database": "d", "statement": "DROP DATABASE d", "outcome": "ok"},
		{"action": "drop shard", "statement": "DROP SHARD 7", "outcome": "timeout"},
		{"action": "log in", "user": "eve", "outcome": "refused: authorization failed"},
	}
	for _, m := range got {
		if _, err := time.Parse(time.RFC3339Nano, m["time"].(string)); err != nil {
			t.Error(err)
		}
		delete(m, "time")
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// named is a user with that name.
type named string

func (n named) Name() string { return string(n) }

func (named) Admin() bool { return true }

func (named) May(string, influxql.Privilege) bool { return true }

// hostile is names that try to be something else in a file, a terminal or JSON.
var hostile = []string{
	"a\nb", "a\r\nb", "a\n{\"action\":\"log in\",\"user\":\"root\",\"outcome\":\"ok\"}", `","outcome":"ok`, `"}` + "\n" + `{"x":"`,
	"\x1b[2J\x1b[31mred", "\x1b]0;title\x07", "\u009b31m", "\x00", "\x7f\x7f\x7f", "\b\b\b\b", "\v\f", `\u000a`, `\`, `\\"`,
	"\u2028\u2029", "\u202egnp.exe", "\ufeffbom", "\xff\xfe invalid", "\U000e0041 tag", "</script><script>", strings.Repeat("x", 1<<20),
}

func TestLogWritesOneValidLineWhateverTheNames(t *testing.T) {
	for _, n := range hostile {
		fsys := vfs.NewMem()
		l := open(t, fsys, DefaultConfig())
		l.Record(Event{Action: "drop user", User: n, Database: n, Statement: n, Address: n, Request: n, Outcome: n})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if got := lines(t, fsys, name); len(got) != 1 || got[0]["action"] != "drop user" {
			t.Errorf("%.40q: %v", n, got)
		}
		f, _ := fsys.Open(name)
		b, _ := io.ReadAll(f)
		for _, c := range string(b[:len(b)-1]) {
			if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == 0x202e || c == 0x2028 || c == 0xfeff {
				t.Errorf("%.40q: the line has %U in it", n, c)
			}
		}
		if len(b) > maxLine {
			t.Errorf("%.40q: a line of %d bytes", n, len(b))
		}
	}
}

func TestLogKeepsNamesThatAreGood(t *testing.T) {
	fsys := vfs.NewMem()
	l := open(t, fsys, DefaultConfig())
	for _, n := range []string{"日本語", "Ünïcödé", "emoji 🙂", `q"u'o`, "a\nb", "\U000e0041"} {
		l.Record(Event{Action: "x", User: n})
		all := lines(t, fsys, name)
		if got := all[len(all)-1]["user"]; got != n {
			t.Errorf("user %q came back as %q", n, got)
		}
	}
}

func TestLogIsBounded(t *testing.T) {
	fsys := vfs.NewMem()
	cfg := Config{MaxBytes: maxLine, Keep: 2}
	l := open(t, fsys, cfg)
	text := strings.Repeat("s", 1000)
	for i := range 500 {
		l.Record(Event{Action: "grant", User: fmt.Sprint(i), Statement: text})
	}
	files, err := fsys.List("data/audit")
	if err != nil || fmt.Sprint(files) != "[audit.log audit.log.1 audit.log.2]" {
		t.Fatalf("files %v, %v", files, err)
	}
	next := 499 // the newest are kept, and none is missing among them
	for _, f := range files {
		if size, _ := fsys.Size("data/audit/" + f); size > cfg.MaxBytes {
			t.Errorf("%s has %d bytes, the limit is %d", f, size, cfg.MaxBytes)
		}
		all := lines(t, fsys, "data/audit/"+f)
		for i := len(all) - 1; i >= 0; i-- {
			if all[i]["user"] != fmt.Sprint(next) {
				t.Fatalf("%s: line %d is of %v, want %d", f, i, all[i]["user"], next)
			}
			next--
		}
	}
}

func TestLogWritesSomeOfWhatAnyoneCanCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := vfs.NewMem()
		l := open(t, fsys, DefaultConfig())
		for range 10_000 {
			l.Record(Event{Action: "log in", User: "eve", Outcome: "refused", Anyone: true})
		}
		l.Record(Event{Action: "drop database", User: "root"})
		size, _ := fsys.Size(name)
		if size > anyoneBurst+maxLine {
			t.Errorf("%d bytes after 10,000 failures", size)
		}
		all := lines(t, fsys, name)
		if all[len(all)-1]["action"] != "drop database" {
			t.Errorf("what an administrator did is not recorded: %v", all[len(all)-1])
		}
		time.Sleep(time.Second)
		l.Record(Event{Action: "log in", User: "bob", Anyone: true})
		written := len(all) - 1
		all = lines(t, fsys, name)
		if got := all[len(all)-1]["left_out"]; got != float64(10_000-written) {
			t.Errorf("left_out is %v after %d of 10,000 were written", got, written)
		}
	})
}

func TestLogGoesOnAfterACrash(t *testing.T) {
	fsys := vfs.NewMem()
	l := open(t, fsys, DefaultConfig())
	l.Record(Event{Action: "one"})
	l.Close()
	f, err := fsys.OpenAppend(name)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, `{"time":"2024-01-02T03:04:05Z","action":"tw`)
	f.Close()
	l = open(t, fsys, DefaultConfig())
	l.Record(Event{Action: "three"})
	if got := lines(t, fsys, name); len(got) != 2 || got[1]["action"] != "three" {
		t.Errorf("got %v", got)
	}
}

func TestLogHasWholeLinesAfterAFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	full := false
	fsys := vfs.NewFailing(mem, func(op vfs.Op) error {
		if full && op.Kind == vfs.OpWrite {
			return &vfs.ShortWrite{N: 10, Err: syscall.ENOSPC}
		}
		return nil
	})
	reg := prometheus.NewRegistry()
	l, err := Open(fsys, name, DefaultConfig(), quiet, reg)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Record(Event{Action: "one"})
	full = true
	l.Record(Event{Action: "two"})
	full = false
	l.Record(Event{Action: "three"})
	if got := lines(t, mem, name); len(got) != 2 || got[1]["action"] != "three" {
		t.Errorf("got %v", got)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if got := f.Metric[0].Counter.GetValue(); f.GetName() == "audit_lost_total" && got != 1 {
			t.Errorf("%v events counted as lost, want 1", got)
		}
	}
}

func TestNothingIsRecordedWithoutALog(t *testing.T) {
	var l *Log
	l.Record(Event{Action: "x"})
	l.Statement(&query.Request{}, "x", "", "", errors.New("y"))
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzLine(f *testing.F) {
	for _, n := range hostile {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n string) {
		e := Event{Action: n, User: n, Address: n, Request: n, Database: n, Statement: n, Outcome: n}
		line := e.line(time.Now(), 0)
		if len(line) > maxLine || bytes.Count(line, []byte("\n")) != 1 || !json.Valid(line) {
			t.Errorf("%q gives %q", n, line)
		}
	})
}
