package querytest

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

var rewrite = flag.Bool("rewrite", false, "write the outputs into the scripts")

// Now is what now() means in scripts.
var Now = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// command is one command of a script.
type command struct {
	line   int
	before string // comments and blank lines
	verb   string
	args   map[string]string
	head   string // the line with verb and arguments
	input  string
	output string
}

// Database is what a script runs on: a Store with an executor, or shards and
// nodes of a test elsewhere.
type Database interface {
	// Write stores line protocol. It makes the database if there is none.
	Write(database, policy string, lines []byte) error
	Query(r query.Request, sink query.Sink) error
}

// Run runs the script in a file on Stores that cut what they hold differently.
func Run(t *testing.T, file string) {
	t.Helper()
	if *rewrite {
		var b strings.Builder
		s := newSession(t, Options{})
		commands, rest := read(t, file)
		for _, c := range commands {
			fmt.Fprintf(&b, "%s%s\n%s----\n%s", c.before, c.head, c.input, s.run(c))
		}
		b.WriteString(rest)
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, opt := range []Options{{}, {ShardDuration: time.Second, GranuleRows: 1}, {ShardDuration: 7 * time.Second, GranuleRows: 3}} {
		runOn(t, file, fmt.Sprintf("%+v", opt), newSession(t, opt), func(a, b string) bool { return a == b })
	}
}

// RunOn runs the script in a file on an empty database; what names that. Where
// the shards of one time are several, ties is set: rows of one time may then
// come in any order.
func RunOn(t *testing.T, file, what string, db Database, ties bool) {
	t.Helper()
	same := func(a, b string) bool { return a == b }
	if ties {
		same = func(a, b string) bool { return untied(a) == untied(b) }
	}
	runOn(t, file, what, &session{t, db}, same)
}

// untied puts lines in a row that begin with the same time into order.
func untied(output string) string {
	lines := strings.SplitAfter(output, "\n")
	at := func(i int) string {
		first, _, _ := strings.Cut(lines[i], " ")
		return first
	}
	for lo, hi := 0, 0; lo < len(lines); lo = hi {
		for hi = lo + 1; hi < len(lines) && at(hi) == at(lo); hi++ {
		}
		if strings.HasSuffix(at(lo), "Z") {
			slices.Sort(lines[lo:hi])
		}
	}
	return strings.Join(lines, "")
}

func runOn(t *testing.T, file, what string, s *session, same func(a, b string) bool) {
	t.Helper()
	commands, _ := read(t, file)
	for _, c := range commands {
		if got := s.run(c); !same(got, c.output) {
			t.Errorf("%s:%d: %s\n%s%s\ngot\n%swant\n%s", file, c.line, c.head, c.input, what, got, c.output)
		}
	}
}

func read(t *testing.T, file string) (commands []command, rest string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	commands, rest, err = parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return commands, rest
}

// parse splits a script; rest is what comes after the last command.
func parse(text string) (commands []command, rest string, err error) {
	lines := strings.SplitAfter(text, "\n")
	var before strings.Builder
	for i := 0; i < len(lines); {
		if head := strings.TrimSpace(lines[i]); head == "" || strings.HasPrefix(head, "#") {
			before.WriteString(lines[i])
			i++
			continue
		}
		c := command{line: i + 1, before: before.String(), head: strings.TrimSpace(lines[i]), args: make(map[string]string)}
		before.Reset()
		words := strings.Fields(c.head)
		c.verb = words[0]
		for _, w := range words[1:] {
			k, v, ok := strings.Cut(w, "=")
			if !ok {
				return nil, "", fmt.Errorf("line %d: %q is no option", i+1, w)
			}
			c.args[k] = v
		}
		i++
		for ; i < len(lines) && strings.TrimSpace(lines[i]) != "----"; i++ {
			c.input += lines[i]
		}
		if i == len(lines) {
			return nil, "", fmt.Errorf("line %d: no ---- after %q", c.line, c.head)
		}
		i++
		for ; i < len(lines) && strings.TrimSpace(lines[i]) != ""; i++ {
			c.output += lines[i]
		}
		commands = append(commands, c)
	}
	return commands, before.String(), nil
}

// onStore is a Store with an executor on it.
type onStore struct {
	*Store
	executor *query.Executor
}

// Query implements Database.
func (s onStore) Query(r query.Request, sink query.Sink) error { return Execute(s.executor, r, sink) }

// Execute runs a request.
func Execute(e *query.Executor, r query.Request, sink query.Sink) error {
	q, err := e.Parse(r)
	if err != nil {
		return err
	}
	return e.Execute(context.Background(), q, sink)
}

// session runs commands.
type session struct {
	t  testing.TB
	db Database
}

func newSession(t testing.TB, opt Options) *session {
	t.Helper()
	store := NewStore(opt)
	executor, err := query.New(query.DefaultConfig(), store, store, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	executor.WriteTo(into{store})
	return &session{t, onStore{store, executor}}
}

// run gives the output of a command, a line feed at the end of each line.
func (s *session) run(c command) string {
	s.t.Helper()
	switch c.verb {
	case "write":
		if err := s.db.Write(c.args["db"], c.args["rp"], []byte(c.input)); err != nil {
			return "error: " + err.Error() + "\n"
		}
		return "ok\n"
	case "query":
		chunk, _ := strconv.Atoi(c.args["chunk"])
		return Answer(s.db, query.Request{
			Text: c.input, Database: c.args["db"], Policy: c.args["rp"], ChunkSize: chunk, Now: Now,
			Extensions: c.args["extensions"] == "true",
		})
	}
	s.t.Fatalf("line %d: unknown command %q", c.line, c.verb)
	return ""
}

// Answer gives the answer to a request as scripts show it.
func Answer(db Database, r query.Request) string {
	var p printer
	if err := db.Query(r, &p); err != nil {
		return "error: " + err.Error() + "\n"
	}
	return p.String()
}

// printer is a sink that prints results as scripts show them.
type printer struct {
	strings.Builder
	loc  *time.Location
	more bool // the last piece's series goes on
}

func (p *printer) Begin(s query.Statement) error {
	if s.ID > 0 {
		p.WriteString("--\n")
	}
	p.loc, p.more = time.UTC, false
	if s.Location != nil {
		p.loc = s.Location
	}
	return nil
}

func (p *printer) Rows(r *exec.Rows) error {
	if !p.more {
		p.WriteString(r.Name)
		if r.HasTags {
			p.WriteString("{")
			for i, t := range r.Tags {
				if i > 0 {
					p.WriteString(",")
				}
				p.WriteString(t.Key + "=" + t.Value)
			}
			p.WriteString("}")
		}
		p.WriteString(" " + strings.Join(r.Columns, " ") + "\n")
	}
	for i := range r.Len() {
		var cells []string
		if r.Times != nil {
			cells = append(cells, time.Unix(0, r.Times[i]).In(p.loc).Format(time.RFC3339Nano))
		}
		for k := range r.Values {
			cells = append(cells, cell(&r.Values[k], i))
		}
		if r.Lists != nil {
			cells = append(cells, fmt.Sprintf("%q", r.Lists[i]))
		}
		p.WriteString(strings.Join(cells, " ") + "\n")
	}
	p.more = r.More
	return nil
}

func cell(c *model.Column, i int) string {
	switch v := c.Value(i).(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(v)
	default:
		return fmt.Sprint(v)
	}
}

func (p *printer) End(o query.Outcome) error {
	for _, m := range o.Messages {
		p.WriteString(m.Level + ": " + m.Text + "\n")
	}
	if o.Err != nil {
		p.WriteString("error: " + o.Err.Error() + "\n")
	}
	return nil
}
