package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/varvedb/varve/cmd/varve/credentials"
	"github.com/varvedb/varve/cmd/varve/ctl"
	"github.com/varvedb/varve/cmd/varve/https"
	"github.com/varvedb/varve/cmd/varve/inspect"
)

// version is set by the linker.
var version = "unknown"

// options is the flags, named as those of "influx".
type options struct {
	host              string
	port              int
	socket, urlPrefix string
	ssl               bool
	https             https.Options
	transport         *http.Transport // by https
	credentials.Credentials
	database          string
	execute, kind     string
	format, precision string
	consistency       string
	pretty            bool
	importFile        bool
	path              string
	compressed        bool
	pps               int
	node              int
	version           bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program; it gives the exit code.
func run(ctx context.Context, args []string, in *os.File, out, errs io.Writer) int {
	if len(args) > 0 && args[0] == "ctl" {
		return ctl.Run(ctx, args[1:], version, out, errs)
	}
	if len(args) > 0 && args[0] == "inspect" {
		return inspect.Run(ctx, args[1:], out, errs)
	}
	o, err := parse(args, errs)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(errs, "varve:", err)
		return 2
	case o.version:
		fmt.Fprintln(out, "Varve shell version:", version)
		return 0
	}
	s := newShell(o, out)
	switch {
	case o.importFile:
		im := &importer{client: s.client, out: out, precision: writePrecision(o.precision), consistency: o.consistency, linesPerSecond: o.pps}
		err = im.run(ctx, o.path, o.compressed)
	case o.execute != "":
		if err = s.execute(ctx, o.execute); err != nil {
			fmt.Fprintf(out, "ERR: %v\n", err)
			if s.database == "" {
				fmt.Fprintln(out, "Warning: It is possible this error is due to not setting a database.\nPlease set a database with the command \"use <database>\".")
			}
		}
	case term.IsTerminal(int(in.Fd())):
		err = s.interact(ctx)
	default:
		err = s.script(ctx, bufio.NewScanner(in))
	}
	if err != nil {
		fmt.Fprintln(errs, err)
		return 1
	}
	return 0
}

var precisions = []string{"rfc3339", "h", "m", "s", "ms", "u", "ns"}

func parse(args []string, errs io.Writer) (o options, err error) {
	f := flag.NewFlagSet("varve", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&o.host, "host", "localhost", "server to connect to; host:port works too")
	f.IntVar(&o.port, "port", 8086, "port of the server")
	f.StringVar(&o.socket, "socket", "", "Unix socket to connect to")
	f.StringVar(&o.urlPrefix, "url-prefix", "", "path in front of the server's own")
	f.BoolVar(&o.ssl, "ssl", false, "use https")
	f.BoolVar(&o.https.Insecure, "unsafeSsl", false, "accept any certificate")
	o.https.Flags(f)
	o.Flags(f)
	f.StringVar(&o.database, "database", "", "database to use")
	f.StringVar(&o.execute, "execute", "", "run this and exit")
	f.StringVar(&o.kind, "type", "influxql", "language of queries; only influxql")
	f.StringVar(&o.format, "format", "column", "json, csv or column")
	f.StringVar(&o.precision, "precision", "ns", "of times: rfc3339, h, m, s, ms, u or ns")
	f.StringVar(&o.consistency, "consistency", "all", "of writes: any, one, quorum or all")
	f.BoolVar(&o.pretty, "pretty", false, "indent json")
	f.BoolVar(&o.importFile, "import", false, "import the file named by -path")
	f.StringVar(&o.path, "path", "", "file to import")
	f.BoolVar(&o.compressed, "compressed", false, "the file to import is gzipped")
	f.IntVar(&o.pps, "pps", 0, "lines per second to import; 0 for no limit")
	f.IntVar(&o.node, "node", 0, "run queries on this data node")
	f.BoolVar(&o.version, "version", false, "print the version and exit")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", f.Arg(0))
	}
	if host, port, err := net.SplitHostPort(o.host); err == nil {
		if o.port, err = strconv.Atoi(port); err != nil {
			return o, fmt.Errorf("invalid -host %q: %w", o.host, err)
		}
		o.host = host
	}
	if err := o.Complete(errs); err != nil {
		return o, err
	}
	if o.transport, err = o.https.Transport(); err != nil {
		return o, err
	}
	return o, o.validate()
}

func (o *options) validate() error {
	switch {
	case o.kind != "influxql":
		return fmt.Errorf("-type %s is not supported: only influxql is", o.kind)
	case !slices.Contains(formats, o.format):
		return fmt.Errorf("unknown -format %q: use json, csv or column", o.format)
	case !slices.Contains(precisions, o.precision):
		return fmt.Errorf("unknown -precision %q: use rfc3339, h, m, s, ms, u or ns", o.precision)
	case !slices.Contains(consistencies, o.consistency):
		return fmt.Errorf("unknown -consistency %q: use any, one, quorum or all", o.consistency)
	case o.importFile && o.path == "":
		return errors.New("-import needs -path")
	}
	return nil
}

// client gives what reaches the server the options name.
func (o *options) client() *client {
	transport := o.transport.Clone()
	if o.socket != "" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", o.socket)
		}
	}
	scheme := "http"
	if o.ssl {
		scheme = "https"
	}
	prefix := strings.Trim(o.urlPrefix, "/")
	if prefix != "" {
		prefix = "/" + prefix
	}
	return &client{
		http:        &http.Client{Transport: transport},
		url:         scheme + "://" + net.JoinHostPort(cmp.Or(o.host, "localhost"), strconv.Itoa(o.port)) + prefix,
		Credentials: o.Credentials,
	}
}

// writePrecision gives the unit of times in line protocol: those of results
// may be texts, those of writes may not.
func writePrecision(precision string) string {
	if precision == "rfc3339" {
		return "ns"
	}
	return precision
}
