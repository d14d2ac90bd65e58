package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // the zones of tz(), for systems and images without them

	"github.com/varvedb/varve/cmd/varved/config"
)

// version is set by the linker (see the Makefile).
var version = "unknown"

// sameSignal is how long after a signal others count as the same: timeout(1)
// sends it to the process and to its group, a terminal and make both pass it on.
const sameSignal = time.Second

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

// run is the whole program; it gives the exit code. What stops a server from
// starting is said in one line.
func run(args, environ []string, stdout, stderr io.Writer) int {
	command := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	switch command {
	case "", "run":
	case "config":
		return configure(args, environ, stdout, stderr)
	case "ready":
		return sayReady(args, environ, stdout, stderr)
	case "help", "version":
		args = []string{"--" + command}
	default:
		fmt.Fprintf(stderr, "varved: there is no command %q (varved --help lists them)\n", command)
		return 1
	}
	cfg, warnings, err := config.Load(args, environ)
	switch {
	case errors.Is(err, config.ErrHelp):
		config.Help(stdout)
		return 0
	case errors.Is(err, config.ErrVersion):
		fmt.Fprintf(stdout, "varved %s\n", softwareVersion())
		return 0
	case errors.Is(err, config.ErrChecked):
		return checked(&cfg, warnings, stdout, stderr)
	case err != nil:
		fmt.Fprintf(stderr, "varved: %v\n", err)
		return 1
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: cfg.LogLevel}))
	for _, w := range warnings {
		log.Warn(w)
	}

	// From here on a signal ends the server in order; a later one at once.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	stop := make(chan os.Signal, 1)
	go func() {
		stop <- <-signals
		first := time.Now()
		for range signals {
			if time.Since(first) > sameSignal {
				break
			}
		}
		fmt.Fprintln(stderr, "varved: second signal, ending at once; what was acknowledged is in the log")
		os.Exit(1)
	}()

	if err := serve(cfg, log, stdout, stop); err != nil {
		fmt.Fprintf(stderr, "varved: %v\n", err)
		return 1
	}
	return 0
}

// configure prints settings: those in effect, or those of a file of InfluxDB.
func configure(args, environ []string, stdout, stderr io.Writer) int {
	var err error
	switch {
	case len(args) == 2 && args[0] == "import":
		err = config.Import(stdout, args[1])
	case len(args) > 0 && args[0] == "import":
		err = errors.New("config import takes the name of one file")
	default:
		err = config.Print(stdout, args, environ)
	}
	switch {
	case errors.Is(err, config.ErrHelp):
		config.Help(stdout)
	case err != nil:
		fmt.Fprintf(stderr, "varved: %v\n", err)
		return 1
	}
	return 0
}

// checked says what there is to say of settings that fit together: warnings,
// and whether the files that they name can be used.
func checked(cfg *config.Config, warnings []string, stdout, stderr io.Writer) int {
	for _, w := range warnings {
		fmt.Fprintf(stderr, "varved: warning: %s\n", w)
	}
	if err := checkFiles(cfg); err != nil {
		fmt.Fprintf(stderr, "varved: %v\n", err)
		return 1
	}
	fmt.Fprintln(stdout, config.ErrChecked)
	return 0
}

// softwareVersion gives the version that the linker set, or else what the
// module system knows.
func softwareVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "unknown" && strings.HasPrefix(info.Main.Version, "v") {
		return info.Main.Version
	}
	return version
}
