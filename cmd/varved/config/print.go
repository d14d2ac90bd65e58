package config

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/varvedb/varve/coordinator/ingest"
)

// Print writes the settings that the arguments, the environment and the file
// give as a file that gives the same, with where each value comes from. Secrets
// are left out. The error says what is wrong with them; what there is is
// written all the same.
func Print(w io.Writer, args, environ []string) error {
	l, err := load(args, environ)
	if werr := l.print(w); err == nil || err == ErrChecked { //nolint:errorlint // load's own, not wrapped
		return werr
	}
	return err
}

func (l *loader) print(w io.Writer) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 1, 1, ' ', tabwriter.DiscardEmptyColumns)
	for i := range settings {
		s := &settings[i]
		v, told := l.values[s.name]
		switch {
		case told && s.value == isSecret:
			fmt.Fprintf(t, "# %s is set\t# %s\n", s.name, v.from)
		case told:
			fmt.Fprintf(t, "%s = %s\t# %s\n", s.name, s.toml(v.text), v.from)
		case s.fallback != "" || s.value == "":
			fmt.Fprintf(t, "%s = %s\t# default\n", s.name, s.toml(s.fallback))
		default:
			fmt.Fprintf(t, "# %s\t# not set\n", s.name)
		}
	}
	l.printListeners(t, func(key string) (string, bool) { return "\t# " + cmp.Or(l.listeners[key], "default"), true })
	if err := t.Flush(); err != nil {
		return err
	}
	for _, u := range l.unused {
		fmt.Fprintf(&b, "# %s has no effect: %s\n", u.key, u.why)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// printListeners writes the tables of the listeners: the keys that which wants,
// with what it says to them.
func (l *loader) printListeners(w io.Writer, which func(key string) (remark string, wanted bool)) {
	for _, kind := range keysOf(reflect.TypeFor[ingest.Config]()) {
		all := listenersOf(&l.config.Listeners, kind)
		for i := range all.Len() {
			fmt.Fprintf(w, "\n[[%s]]\n", kind)
			for _, key := range keysOf(all.Type().Elem()) {
				if remark, wanted := which(listenerKey(kind, i, key)); wanted {
					fmt.Fprintf(w, "  %s = %s%s\n", key, tomlOf(fieldOf(all.Index(i), key).Interface()), remark)
				}
			}
		}
	}
}

// toml gives a text that the setting takes as a value in a file.
func (s *setting) toml(text string) string {
	switch s.value {
	case "", "BOOL":
		if on, err := parseSwitch(text); err == nil {
			return strconv.FormatBool(on)
		}
		return "false"
	case "N":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return strconv.FormatInt(n, 10)
		}
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
	case "LIST":
		return tomlOf(list(text))
	}
	return quote(text)
}

// tomlOf gives the value of a listener's key as one in a file.
func tomlOf(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case time.Duration:
		return quote(v.String())
	case []string:
		parts := make([]string, len(v))
		for i, text := range v {
			parts[i] = quote(text)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(v)
}

// quote gives a text as a basic string of TOML.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		switch {
		case r == '"' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
