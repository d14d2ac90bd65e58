package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
)

// What the arguments ask for besides running a server.
var (
	ErrHelp    = errors.New("help")
	ErrVersion = errors.New("version")
	ErrChecked = errors.New("the configuration can be used") // --check-config
)

// Load reads the settings: the file first, then the environment over it, then
// the flags. warnings are for a log that does not exist yet.
func Load(args, environ []string) (c Config, warnings []string, err error) {
	l, err := load(args, environ)
	return l.config, l.warnings, err
}

// loader is the settings so far, and where they came from.
type loader struct {
	config    Config
	values    map[string]value  // of settings, by their names
	listeners map[string]string // where a key of a listener came from: "udp.0.bind-address"
	unused    []unused
	warnings  []string
	importing bool // the file is InfluxDB's for certain
}

// value is a setting as it was told.
type value struct {
	text string
	from string // a file, a variable or a flag
}

// unused is a key of InfluxDB without effect.
type unused struct {
	key string
	why string
}

func newLoader() *loader {
	return &loader{config: DefaultConfig(), values: make(map[string]value), listeners: make(map[string]string)}
}

func load(args, environ []string) (*loader, error) {
	l := newLoader()
	env := parseEnvironment(environ)
	flags := flag.NewFlagSet("varved", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	file := env.file()
	flags.StringVar(&file, "config", file, "")
	version := flags.Bool("version", false, "")
	check := flags.Bool("check-config", false, "")
	given := make(map[string]string)
	for _, s := range settings {
		// Set later: an error here would show the value of a secret.
		keep := func(v string) error {
			given[s.name] = v
			return nil
		}
		if s.value == "" {
			flags.BoolFunc(s.name, "", keep)
		} else {
			flags.Func(s.name, "", keep)
		}
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return l, ErrHelp
	case err != nil:
		return l, fmt.Errorf("%w (varved --help lists the flags)", err)
	case flags.NArg() > 0:
		return l, fmt.Errorf("unexpected argument %q (varved --help lists the flags)", flags.Arg(0))
	case *version:
		return l, ErrVersion
	}

	if file != "" {
		if err := l.readFile(file); err != nil {
			return l, err
		}
	}
	if err := l.environment(env); err != nil {
		return l, err
	}
	for i := range settings {
		s := &settings[i]
		if v, ok := given[s.name]; ok {
			if err := l.set(s, v, "--"+s.name); err != nil {
				return l, fmt.Errorf("--%s=%s: %w", s.name, s.shown(v), err)
			}
			if s.value == isSecret {
				l.warnings = append(l.warnings, fmt.Sprintf("everyone on this machine may see --%s; %s or --%s%s are better",
					s.name, s.variable(ourPrefix), s.name, fileSuffix))
			}
		}
	}
	l.checkListeners()
	for _, u := range l.unused {
		l.warnings = append(l.warnings, u.key+" has no effect: "+u.why)
	}
	slices.Sort(l.warnings)
	if err := l.config.complete(); err != nil {
		return l, err
	}
	if err := l.config.check(); err != nil {
		return l, err
	}
	if *check {
		return l, ErrChecked
	}
	return l, nil
}

// set sets s as a source says.
func (l *loader) set(s *setting, text, from string) error {
	if err := s.set(&l.config, text); err != nil {
		return err
	}
	l.values[s.name] = value{text, from}
	if of := s.secretOf(); of != "" {
		l.values[of] = value{"", from}
		return l.checkMode(text)
	}
	return nil
}

func (l *loader) readFile(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if err := l.file(name, string(text)); err != nil {
		return err
	}
	for _, s := range settings {
		if s.value == isSecret && l.values[s.name].from == fromFile(name) {
			return l.refuseMode(name, s.name)
		}
	}
	return nil
}

// Help writes the flags and what they mean.
func Help(w io.Writer) {
	fmt.Fprint(w, `varved, the server of the Varve time-series database

  varved [FLAGS]                   run the server
  varved config [FLAGS]            print the settings that these flags, the environment and the
                                   file give, and where each value comes from
  varved config import FILE        print a file of InfluxDB 1.x as one of Varve, and what of it
                                   has no effect
  varved ready [FLAGS]             end with 0 if the server with these settings says that it is
                                   ready, with 1 if not

`)
	line := func(name, value, usage string) {
		if value == isSecret {
			value = "TEXT"
		}
		if len(name)+len(value) > 29 {
			fmt.Fprintf(w, "  --%s %s\n  %-32s %s\n", name, value, "", usage)
			return
		}
		fmt.Fprintf(w, "  %-32s %s\n", "--"+name+" "+value, usage)
	}
	line("config", "FILE", "a TOML file with the settings below")
	line("check-config", "", "say whether the configuration can be used, and end")
	for _, s := range settings {
		usage := s.usage
		if s.fallback != "" {
			usage += " (default " + s.fallback + ")"
		}
		line(s.name, s.value, usage)
	}
	line("version", "", "print the version and end")
	s := findSetting("http-bind-address")
	fmt.Fprint(w, "\nEach has a variable in the environment, as "+s.variable(ourPrefix)+" for --"+s.name+
		".\nFlags win over the environment, which wins over the file. "+s.variable(influxPrefix)+"\nand its like of InfluxDB are read, too; ours win over them.\n")
}
