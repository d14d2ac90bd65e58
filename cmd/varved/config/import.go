package config

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/varvedb/varve/coordinator/ingest"
)

// Import writes what a file of InfluxDB 1.x says as a file of Varve, followed
// by the keys that have no effect and why. A key that neither knows is an error.
func Import(w io.Writer, name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	l := newLoader()
	l.importing, l.config.Listeners = true, ingest.Config{}
	if err := l.file(name, string(text)); err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# What %s says, for Varve.\n\n", name)
	t := tabwriter.NewWriter(&b, 0, 1, 1, ' ', 0)
	for i := range settings {
		s := &settings[i]
		v, told := l.values[s.name]
		switch {
		case !told:
		case s.value == isSecret && v.text != "":
			fmt.Fprintf(t, "# %s%s = \"FILE\"\t# it is secret: put it into a file of its own\n", s.name, fileSuffix)
		case s.value != isSecret:
			fmt.Fprintf(t, "%s = %s\n", s.name, s.toml(v.text))
		}
	}
	l.printListeners(t, func(key string) (string, bool) { return "", l.listeners[key] != "" })
	fmt.Fprint(t, "\n# Without effect:\n")
	for _, u := range l.unused {
		fmt.Fprintf(t, "# %s\t%s\n", u.key, u.why)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}
