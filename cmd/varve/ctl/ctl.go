package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"
)

// The exit codes.
const (
	exitFailed   = 1
	exitUsage    = 2
	exitUnproven = 3
)

// exit ends a command that has printed what there is to say.
type exit int

func (exit) Error() string { return "exit" }

// session is a run of a command.
type session struct {
	*client
	out, errs io.Writer
	json      bool
	bars      bool          // errs is a terminal
	every     time.Duration // between two looks at what is waited for
	args      []string      // of the command, without flags
	flags     *flag.FlagSet
}

// command is one thing that can be asked for.
type command struct {
	name      string // one or two words
	arguments string
	help      string // what it does, the first line for the list
	least     int    // arguments
	most      int    // arguments, -1 for any number
	setup     func(s *session) func(ctx context.Context) error
}

func (c *command) usage() string {
	return strings.TrimSpace("usage: varve ctl " + c.name + " " + c.arguments)
}

func commands() []*command {
	return []*command{
		showCommand, showShardsCommand, statusCommand, verifyCommand,
		nodeListCommand, nodeDrainCommand, nodeRemoveCommand, nodeReplaceCommand, nodeLabelCommand, joinTokenCommand,
		rebalanceCommand, copyShardCommand, copyShardStatusCommand, killCopyShardCommand, moveShardCommand, removeShardCommand,
		truncateShardsCommand, compactCommand, limitCommand, continuousCommand,
		tokenCreateCommand, tokenListCommand, tokenRevokeCommand,
		topCommand, cardinalityCommand,
	}
}

const defaultHost = "http://127.0.0.1:8086"

// Run runs a command and gives the exit code. version is that of this program.
func Run(ctx context.Context, args []string, version string, out, errs io.Writer) int {
	s := &session{client: &client{agent: "varve/" + version}, out: out, errs: errs, every: time.Second}
	if f, ok := errs.(*os.File); ok {
		s.bars = term.IsTerminal(int(f.Fd()))
	}
	return s.main(ctx, args)
}

func (s *session) main(ctx context.Context, args []string) int {
	c, run, err := s.parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		s.usage(s.out, c)
		return 0
	case err != nil:
		fmt.Fprintf(s.errs, "ctl: %v\n", err)
		if c != nil {
			fmt.Fprintln(s.errs, c.usage())
		} else {
			fmt.Fprintln(s.errs, "varve ctl --help lists the commands")
		}
		return exitUsage
	}
	var code exit
	switch err := run(ctx); {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	default:
		fmt.Fprintf(s.errs, "%s: operation exited with error: %v\n", c.name, err)
		return exitFailed
	}
}

// parse finds the command. Flags may stand before it, after it and between its
// arguments.
func (s *session) parse(args []string) (c *command, run func(context.Context) error, err error) {
	global := s.newFlags("ctl")
	if err := global.Parse(args); err != nil {
		return nil, nil, err
	}
	args = global.Args()
	if len(args) == 0 || args[0] == "help" {
		return nil, nil, flag.ErrHelp
	}
	for _, each := range commands() {
		words := strings.Fields(each.name)
		if len(args) >= len(words) && strings.Join(args[:len(words)], " ") == each.name {
			c, args = each, args[len(words):]
			break
		}
	}
	if c == nil {
		return nil, nil, unknown(args)
	}
	s.flags = s.newFlags(c.name)
	run = c.setup(s)
	for len(args) > 0 {
		if err := s.flags.Parse(args); err != nil {
			return c, nil, err
		}
		if args = s.flags.Args(); len(args) > 0 {
			s.args, args = append(s.args, args[0]), args[1:]
		}
	}
	switch n := len(s.args); {
	case n < c.least:
		return c, nil, errors.New("arguments are missing")
	case c.most >= 0 && n > c.most:
		return c, nil, fmt.Errorf("unknown argument %q", s.args[c.most])
	}
	if err := s.client.Complete(s.errs); err != nil {
		return c, nil, err
	}
	return c, run, s.client.check()
}

// unknown is the error for what is no command. The first word of one, alone or
// with --help, asks for the list.
func unknown(args []string) error {
	more := args[1:]
	if slices.ContainsFunc(commands(), func(c *command) bool { return strings.HasPrefix(c.name, args[0]+" ") }) {
		if len(more) == 0 || strings.HasPrefix(more[0], "-") || more[0] == "help" {
			return flag.ErrHelp
		}
		return fmt.Errorf("there is no command %q", args[0]+" "+more[0])
	}
	return fmt.Errorf("there is no command %q", args[0])
}

// newFlags gives the flags that all commands have.
func (s *session) newFlags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	if s.client.host == "" {
		s.client.host = defaultHost
	}
	f.StringVar(&s.client.host, "host", s.client.host, "the HTTP address of any node")
	s.client.Flags(f)
	f.BoolVar(&s.client.https.Insecure, "insecure", s.client.https.Insecure, "do not check the certificate of an https host")
	s.client.https.Flags(f)
	f.BoolVar(&s.json, "json", s.json, "print JSON")
	return f
}

// usage prints the help of a command, or the list of them.
func (s *session) usage(w io.Writer, c *command) {
	if c == nil {
		fmt.Fprintf(w, "usage: varve ctl [--host URL] [--username USER] [--json] COMMAND\n\nCommands:\n")
		t := newTable(w)
		for _, c := range commands() {
			first, _, _ := strings.Cut(c.help, "\n")
			fmt.Fprintf(t, "  %s %s\t%s\n", c.name, c.arguments, first)
		}
		t.Flush()
		fmt.Fprintf(w, "\nNODE is the id, the name or an address of a node, ID the number of a shard.\n"+
			"--host is the address of any node (default %s).\n"+
			"varve ctl COMMAND --help tells more. The exit code is 0 when all is well.\n", defaultHost)
		return
	}
	fmt.Fprintf(w, "%s\n\n%s\n\nFlags:\n", c.usage(), c.help)
	t := newTable(w)
	s.flags.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0s" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(t, "  --%s %s\t%s\n", f.Name, value, text)
	})
	t.Flush()
}

func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 8, 2, ' ', 0) }

// title prints what stands over a table.
func (s *session) title(text string) { fmt.Fprintf(s.out, "%s\n==========\n", text) }

// printJSON prints an answer for programs.
func (s *session) printJSON(v any) error {
	e := json.NewEncoder(s.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// say prints a line for people, or v for programs.
func (s *session) say(v any, format string, args ...any) error {
	if s.json {
		if v == nil {
			v = struct{}{}
		}
		return s.printJSON(v)
	}
	_, err := fmt.Fprintf(s.out, format+"\n", args...)
	return err
}

// pause waits until it is time to look again.
func (s *session) pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.every):
		return nil
	}
}
