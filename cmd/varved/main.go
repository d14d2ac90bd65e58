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
)

// version is set by the linker (see the Makefile).
var version = "unknown"

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

// run is the whole program; it gives the exit code. What stops a server from
// starting is said in one line.
func run(args, environ []string, stdout, stderr io.Writer) int {
	cfg, warnings, err := load(args, environ)
	switch {
	case errors.Is(err, errHelp):
		help(stdout)
		return 0
	case errors.Is(err, errVersion):
		fmt.Fprintf(stdout, "varved %s\n", softwareVersion())
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "varved: %v\n", err)
		return 1
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: cfg.logLevel}))
	for _, w := range warnings {
		log.Warn(w)
	}

	// From here on a signal ends the server in order; a second one at once.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	stop := make(chan os.Signal, 1)
	go func() {
		stop <- <-signals
		<-signals
		fmt.Fprintln(stderr, "varved: second signal, ending at once; what was acknowledged is in the log")
		os.Exit(1)
	}()

	if err := serve(cfg, log, stdout, stop); err != nil {
		fmt.Fprintf(stderr, "varved: %v\n", err)
		return 1
	}
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
