package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// What the arguments ask for besides running a server.
var (
	ErrHelp    = errors.New("help")
	ErrVersion = errors.New("version")
)

// Load reads the settings: the file first, then the environment over it, then
// the flags. warnings are for a log that does not exist yet.
func Load(args, environ []string) (c Config, warnings []string, err error) {
	env := make(map[string]string)
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok && strings.HasPrefix(name, envPrefix) {
			env[name] = value
		}
	}
	flags := flag.NewFlagSet("varved", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	file := env[envPrefix+"CONFIG"]
	flags.StringVar(&file, "config", file, "")
	version := flags.Bool("version", false, "")
	given := make(map[string]string)
	for _, s := range settings {
		keep := func(v string) error {
			given[s.name] = v
			return s.set(new(Config), v)
		}
		if s.value == "" {
			flags.BoolFunc(s.name, "", keep)
		} else {
			flags.Func(s.name, "", keep)
		}
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return c, nil, ErrHelp
	case err != nil:
		return c, nil, fmt.Errorf("%w (varved --help lists the flags)", err)
	case flags.NArg() > 0:
		return c, nil, fmt.Errorf("unexpected argument %q (varved --help lists the flags)", flags.Arg(0))
	case *version:
		return c, nil, ErrVersion
	}

	c = DefaultConfig()
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return c, nil, fmt.Errorf("read configuration: %w", err)
		}
		if err := loadFile(&c, file, string(text)); err != nil {
			return c, nil, err
		}
	}
	known := []string{envPrefix + "CONFIG"}
	for _, s := range settings {
		known = append(known, s.env())
		if v, ok := env[s.env()]; ok {
			if err := s.set(&c, v); err != nil {
				return c, nil, fmt.Errorf("%s=%q: %w", s.env(), v, err)
			}
		}
	}
	// Not an error: Kubernetes makes such variables for a service named varve.
	for name := range env {
		if !slices.Contains(known, name) {
			warnings = append(warnings, "no setting belongs to the environment variable "+name)
		}
	}
	slices.Sort(warnings)
	for _, s := range settings {
		if v, ok := given[s.name]; ok {
			if err := s.set(&c, v); err != nil {
				return c, nil, fmt.Errorf("--%s=%q: %w", s.name, v, err)
			}
		}
	}
	if err := c.complete(); err != nil {
		return c, warnings, err
	}
	return c, warnings, c.check()
}

// Help writes the flags and what they mean.
func Help(w io.Writer) {
	fmt.Fprint(w, "varved, the server of the Varve time-series database\n\n")
	line := func(name, value, usage string) {
		fmt.Fprintf(w, "  %-32s %s\n", strings.TrimSpace("--"+name+" "+value), usage)
	}
	line("config", "FILE", "a TOML file with the settings below")
	for _, s := range settings {
		usage := s.usage
		if s.fallback != "" {
			usage += " (default " + s.fallback + ")"
		}
		line(s.name, s.value, usage)
	}
	line("version", "", "print the version and end")
	fmt.Fprint(w, "\nEach has a variable in the environment, as "+settings[1].env()+" for --"+settings[1].name+
		".\nFlags win over the environment, which wins over the file.\n")
}
