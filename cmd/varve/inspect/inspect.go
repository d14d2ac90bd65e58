package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/varvedb/varve/internal/vfs"
)

// The exit codes.
const (
	exitDamage = 1
	exitUsage  = 2
	exitFailed = 3
)

var errDamage = errors.New("damage")

// session is a run of a command.
type session struct {
	fs        vfs.FS
	out, errs io.Writer
	flags     *flag.FlagSet
	dataDir   string
	args      []string // of the command, without flags
	toldLive  bool     // that a server runs
}

// command is one thing that can be looked for.
type command struct {
	name, arguments string
	help            string // what it does, the first line for the list
	least           int    // arguments
	setup           func(s *session) func(ctx context.Context) error
}

func commands() []*command {
	return []*command{verifyCommand, reportCommand, exportCommand, segmentCommand, logCommand}
}

// Run runs a command and gives the exit code: 0, 1 where damage was found, 2
// for a call that makes no sense, 3 where something could not be read.
func Run(ctx context.Context, args []string, out, errs io.Writer) int {
	s := &session{fs: vfs.OS, out: out, errs: errs}
	c, run, err := s.parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		s.usage(c)
		return 0
	case err != nil:
		fmt.Fprintf(errs, "inspect: %v\nvarve inspect --help lists the commands\n", err)
		return exitUsage
	}
	switch err := run(ctx); {
	case err == nil:
		return 0
	case errors.Is(err, errDamage):
		return exitDamage
	default:
		fmt.Fprintf(errs, "inspect %s: %v\n", c.name, err)
		return exitFailed
	}
}

// parse finds the command. Flags may stand between its arguments.
func (s *session) parse(args []string) (c *command, run func(context.Context) error, err error) {
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" || args[0] == "-help" {
		return nil, nil, flag.ErrHelp
	}
	for _, each := range commands() {
		if each.name == args[0] {
			c = each
		}
	}
	if c == nil {
		return nil, nil, fmt.Errorf("there is no command %q", args[0])
	}
	s.flags = flag.NewFlagSet(c.name, flag.ContinueOnError)
	s.flags.SetOutput(io.Discard)
	s.flags.StringVar(&s.dataDir, "data-dir", "varve-data", "data `directory` of the server")
	run = c.setup(s)
	for args = args[1:]; len(args) > 0; {
		if err := s.flags.Parse(args); err != nil {
			return c, nil, err
		}
		if args = s.flags.Args(); len(args) > 0 {
			s.args, args = append(s.args, args[0]), args[1:]
		}
	}
	if len(s.args) < c.least {
		return c, nil, fmt.Errorf("usage: varve inspect %s %s", c.name, c.arguments)
	}
	return c, run, nil
}

func (s *session) usage(c *command) {
	if c == nil {
		fmt.Fprint(s.out, "usage: varve inspect COMMAND\n\nLooks at the data directory of a server and changes nothing; the server may run.\n\n")
		for _, c := range commands() {
			first, _, _ := strings.Cut(c.help, "\n")
			fmt.Fprintf(s.out, "  %-13s %s\n", c.name, first)
		}
		fmt.Fprint(s.out, "\nThe exit code is 0, 1 when damage was found, 2 for a wrong call, 3 when something could not be read.\n")
		return
	}
	fmt.Fprintf(s.out, "usage: varve inspect %s %s\n\n%s\n\n", c.name, c.arguments, c.help)
	s.flags.SetOutput(s.out)
	s.flags.PrintDefaults()
}

// printJSON writes v for scripts.
func (s *session) printJSON(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(s.out, "%s\n", b)
	}
	return err
}
