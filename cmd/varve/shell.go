package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/peterh/liner"

	"github.com/varvedb/varve/cmd/varve/credentials"
)

var (
	formats       = []string{"json", "csv", "column"}
	consistencies = []string{"any", "one", "quorum", "all"}
)

// shell is a session: a server, what requests to it carry, and how answers are
// shown.
type shell struct {
	client  *client
	options options
	out     io.Writer
	printer printer
	line    *liner.State // nil unless a person types

	database, policy string
	precision        string
	consistency      string
	chunked          bool
	chunkSize        int
}

func newShell(o options, out io.Writer) *shell {
	s := &shell{
		client: o.client(), options: o, out: out,
		printer:     printer{out: out, format: o.format, pretty: o.pretty},
		precision:   o.precision,
		consistency: o.consistency,
		chunked:     true,
	}
	s.database, s.policy, _ = splitDatabase(o.database)
	return s
}

// errExit ends a session.
var errExit = errors.New("exit")

// command is one thing a line of the shell may begin with.
type command struct {
	name, arguments, help string
	run                   func(*shell, context.Context, string) error
}

// commands is filled in by a function since "help" lists it.
func commands() []command {
	return []command{
		{"connect", "<host:port>", "use another server", (*shell).connect},
		{"auth", "", "ask for user and password", (*shell).auth},
		{"use", "<db>[.<rp>]", "set the database, and the retention policy", (*shell).use},
		{"insert", "[into [<db>.]<rp>] <line>", "write a line of line protocol", (*shell).insert},
		{"format", "<json|csv|column>", "how results look", setting("format", formats, func(s *shell) *string { return &s.printer.format })},
		{"precision", "<unit>", "of times: rfc3339, h, m, s, ms, u or ns", setting("precision", precisions, func(s *shell) *string { return &s.precision })},
		{"consistency", "<level>", "of writes: any, one, quorum or all", setting("consistency", consistencies, func(s *shell) *string { return &s.consistency })},
		{"chunked", "", "turn streaming of results on or off", (*shell).toggleChunked},
		{"chunk", "size <n>", "rows in a chunk; 0 for the server's default", (*shell).setChunkSize},
		{"pretty", "", "turn indented json on or off", (*shell).togglePretty},
		{"clear", "<db|rp>", "forget the database or the retention policy", (*shell).clear},
		{"node", "<n|clear>", "run queries on one data node", (*shell).setNode},
		{"settings", "", "show the settings", (*shell).settings},
		{"history", "", "show the lines typed so far", (*shell).history},
		{"help", "", "show this", (*shell).help},
		{"exit", "", "leave (also quit, ctrl-D)", func(*shell, context.Context, string) error { return errExit }},
		{"quit", "", "", func(*shell, context.Context, string) error { return errExit }},
	}
}

// execute runs one line: a command of the shell or InfluxQL.
func (s *shell) execute(ctx context.Context, line string) error {
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "--") {
		return nil
	}
	word, rest, _ := strings.Cut(strings.TrimSuffix(line, ";"), " ")
	for _, c := range commands() {
		if strings.EqualFold(word, c.name) {
			return c.run(s, ctx, strings.TrimSpace(rest))
		}
	}
	return s.query(ctx, line)
}

func (s *shell) query(ctx context.Context, text string) error {
	var failed error
	s.printer.begin()
	err := s.client.query(ctx, query{
		text: text, database: s.database, policy: s.policy, precision: s.precision,
		chunked: s.chunked, chunkSize: s.chunkSize, node: s.options.node,
	}, func(r *response) error {
		failed = cmp.Or(failed, r.err())
		if failed != nil && s.printer.format != "json" {
			return nil
		}
		return s.printer.print(r)
	})
	return cmp.Or(err, failed)
}

// interact reads lines from a person. Ctrl-C ends a running query, not the shell.
func (s *shell) interact(ctx context.Context) error {
	if err := s.greet(ctx); err != nil {
		return err
	}
	s.line = liner.NewLiner()
	defer s.line.Close()
	s.line.SetCtrlCAborts(true)
	s.line.SetMultiLineMode(true)
	file := historyFile()
	if f, err := os.Open(file); err == nil {
		s.line.ReadHistory(f)
		f.Close()
	}
	defer s.saveHistory(file)
	for {
		text, err := s.line.Prompt("> ")
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(s.out)
			return nil
		case err != nil:
			return err
		}
		if strings.TrimSpace(text) != "" {
			s.line.AppendHistory(text)
		}
		running, stop := signal.NotifyContext(ctx, os.Interrupt)
		err = s.execute(running, text)
		stop()
		switch {
		case errors.Is(err, errExit):
			return nil
		case err != nil:
			fmt.Fprintf(s.out, "ERR: %v\n", err)
		}
	}
}

// script runs lines from something that is no terminal; the first failure is
// what it gives, after all lines have run.
func (s *shell) script(ctx context.Context, lines *bufio.Scanner) error {
	var first error
	lines.Buffer(nil, maxLine)
	for lines.Scan() && ctx.Err() == nil {
		err := s.execute(ctx, lines.Text())
		if errors.Is(err, errExit) {
			return first
		}
		if err != nil {
			fmt.Fprintf(s.out, "ERR: %v\n", err)
		}
		first = cmp.Or(first, err)
	}
	return cmp.Or(first, lines.Err())
}

func (s *shell) greet(ctx context.Context) error {
	v, err := s.client.ping(ctx)
	if err != nil {
		return fmt.Errorf("connect to %s: %w (is varved running there?)", s.client.url, err)
	}
	fmt.Fprintf(s.out, "Connected to %s version %s\nVarve shell version: %s\n", s.client.url, v, version)
	return nil
}

func historyFile() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".varve_history")
}

// saveHistory keeps the lines typed for the next session. A history that cannot
// be kept is no reason to fail.
func (s *shell) saveHistory(file string) {
	if file == "" {
		return
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return
	}
	s.line.WriteHistory(f)
	f.Close()
}

func (s *shell) connect(ctx context.Context, address string) error {
	o := s.options
	if address != "" {
		if !strings.Contains(address, ":") {
			address += ":" + strconv.Itoa(o.port)
		}
		host, port, found := strings.Cut(address, ":")
		n, err := strconv.Atoi(port)
		if !found || err != nil {
			return fmt.Errorf("%q is not host:port", address)
		}
		o.host, o.port = host, n
	}
	s.options, s.client = o, o.client()
	return s.greet(ctx)
}

func (s *shell) auth(context.Context, string) error {
	if s.line == nil {
		return errors.New("auth asks a person: use -username and -password here")
	}
	user, err := s.line.Prompt("username: ")
	if err != nil {
		return err
	}
	password, err := s.line.PasswordPrompt("password: ")
	if err != nil {
		return err
	}
	s.options.Credentials = credentials.Credentials{Username: user, Password: password}
	s.client.Credentials = s.options.Credentials
	return nil
}

// splitDatabase parses `db`, `db.rp`, `"d.b"."r p"`.
func splitDatabase(text string) (database, policy string, rest string) {
	database, rest = cutName(text)
	if after, ok := strings.CutPrefix(rest, "."); ok {
		policy, rest = cutName(after)
	}
	return database, policy, rest
}

// cutName cuts a name, quoted or not, from the front of text.
func cutName(text string) (name, rest string) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, ". \t")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:]
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case text[i] == '"':
			return b.String(), text[i+1:]
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String(), ""
}

func (s *shell) use(ctx context.Context, name string) error {
	database, policy, _ := splitDatabase(name)
	if database == "" {
		return errors.New(`use needs a database: use <db>[.<rp>]`)
	}
	if ok, err := s.lists(ctx, "SHOW DATABASES", "", database); err != nil || !ok {
		return cmp.Or(err, fmt.Errorf("database %s doesn't exist: SHOW DATABASES lists those that do", database))
	}
	if policy != "" {
		if ok, err := s.lists(ctx, "SHOW RETENTION POLICIES", database, policy); err != nil || !ok {
			return cmp.Or(err, fmt.Errorf("retention policy %s doesn't exist: SHOW RETENTION POLICIES lists those that do", policy))
		}
	}
	s.database, s.policy = database, policy
	fmt.Fprintf(s.out, "Using database %s\n", database)
	if policy != "" {
		fmt.Fprintf(s.out, "Using retention policy %s\n", policy)
	}
	return nil
}

// lists reports whether name is in the first column of what text gives.
func (s *shell) lists(ctx context.Context, text, database, name string) (found bool, err error) {
	err = s.client.query(ctx, query{text: text, database: database, precision: "ns"}, func(r *response) error {
		for _, res := range r.Results {
			for _, ser := range res.Series {
				found = found || slices.ContainsFunc(ser.Values, func(row []any) bool { return len(row) > 0 && row[0] == name })
			}
		}
		return r.err()
	})
	return found, err
}

func (s *shell) insert(ctx context.Context, text string) error {
	database, policy := s.database, s.policy
	if word, rest, ok := strings.Cut(text, " "); ok && strings.EqualFold(word, "into") {
		first, second, line := splitDatabase(strings.TrimSpace(rest))
		if policy = first; second != "" {
			database, policy = first, second
		}
		text = strings.TrimSpace(line)
	}
	return s.client.write(ctx, text, database, policy, writePrecision(s.precision), s.consistency)
}

// setting gives the command that sets a value to one of a few.
func setting(what string, values []string, of func(*shell) *string) func(*shell, context.Context, string) error {
	return func(s *shell, _ context.Context, value string) error {
		value = strings.ToLower(value)
		if !slices.Contains(values, value) {
			return fmt.Errorf("unknown %s %q: use %s", what, value, strings.Join(values, ", "))
		}
		*of(s) = value
		return nil
	}
}

func (s *shell) toggleChunked(context.Context, string) error {
	s.chunked = !s.chunked
	fmt.Fprintf(s.out, "Chunked: %v\n", s.chunked)
	return nil
}

func (s *shell) togglePretty(context.Context, string) error {
	s.printer.pretty = !s.printer.pretty
	fmt.Fprintf(s.out, "Pretty print: %v\n", s.printer.pretty)
	return nil
}

func (s *shell) setChunkSize(_ context.Context, text string) error {
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(text, "size")))
	if err != nil {
		return fmt.Errorf("invalid chunk size: %w", err)
	}
	s.chunkSize = max(n, 0)
	return nil
}

func (s *shell) setNode(_ context.Context, text string) error {
	if strings.EqualFold(text, "clear") {
		s.options.node = 0
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("invalid node: %w", err)
	}
	s.options.node = n
	return nil
}

func (s *shell) clear(_ context.Context, what string) error {
	switch strings.ToLower(what) {
	case "db", "database":
		s.database, s.policy = "", ""
	case "rp", "retention policy":
		s.policy = ""
	default:
		return errors.New("clear needs db or rp")
	}
	return nil
}

func (s *shell) settings(context.Context, string) error {
	w := tabwriter.NewWriter(s.out, 0, 1, 1, ' ', 0)
	fmt.Fprintln(w, "Setting\tValue")
	fmt.Fprintln(w, "--------\t--------")
	for _, row := range [][2]any{
		{"Server", s.client.url},
		{"Username", s.client.Username},
		{"Database", s.database},
		{"RetentionPolicy", s.policy},
		{"Pretty", s.printer.pretty},
		{"Format", s.printer.format},
		{"Precision", s.precision},
		{"Write Consistency", s.consistency},
		{"Chunked", s.chunked},
		{"Chunk Size", s.chunkSize},
	} {
		fmt.Fprintf(w, "%v\t%v\n", row[0], row[1])
	}
	return w.Flush()
}

func (s *shell) history(context.Context, string) error {
	if s.line == nil {
		return nil
	}
	_, err := s.line.WriteHistory(s.out)
	return err
}

func (s *shell) help(context.Context, string) error {
	w := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
	for _, c := range commands() {
		if c.help != "" {
			fmt.Fprintf(w, "%s %s\t%s\n", c.name, c.arguments, c.help)
		}
	}
	fmt.Fprintln(w, "anything else\tInfluxQL, sent to the server")
	return w.Flush()
}
