package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// file sets what a TOML file says. A key is the setting's name, of which
// the part before a dash may be a table: http-bind-address, or bind-address
// under [http]; an underscore is a dash, since InfluxDB has
// [continuous_queries]. A key that only InfluxDB has is taken for the setting
// that does the same, or is noted as unused. The error is about the first line
// that is wrong.
func (l *loader) file(name, text string) error {
	top := make(map[string]toml.Primitive)
	md, err := toml.Decode(text, &top)
	if err != nil {
		return inFile(name, err)
	}
	f := &file{loader: l, name: name, md: &md, seen: make(map[string]bool)}
	f.table(nil, top)
	if len(f.wrong) == 0 {
		return nil
	}
	first := slices.MinFunc(f.wrong, func(a, b toml.ParseError) int { return a.Position.Line - b.Position.Line })
	return inFile(name, first)
}

// inFile says where in the file an error is, on one line.
func inFile(name string, err error) error {
	var at toml.ParseError
	if !errors.As(err, &at) {
		return fmt.Errorf("%s: %w", name, err)
	}
	text, _, _ := strings.Cut(at.Message, "\n")
	return fmt.Errorf("%s:%d: %s", name, at.Position.Line, text)
}

// fromFile says that a value came from a file.
func fromFile(name string) string { return "file " + name }

type file struct {
	loader *loader
	name   string
	md     *toml.MetaData
	seen   map[string]bool // settings set so far
	wrong  []toml.ParseError
}

// table sets what is in a table.
func (f *file) table(path []string, entries map[string]toml.Primitive) {
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		at := append(slices.Clip(path), key)
		if len(path) == 0 && isListener(key) {
			f.listeners(key, entries[key])
			continue
		}
		dotted := strings.Join(at, ".")
		if f.md.Type(at...) == "Hash" && prefixes(dotted) {
			inner := make(map[string]toml.Primitive)
			if err := f.md.PrimitiveDecode(entries[key], &inner); err != nil {
				f.note(err)
				continue
			}
			f.table(at, inner)
			continue
		}
		f.note(f.md.PrimitiveDecode(entries[key], &entry{f, dotted}))
	}
}

// prefixes reports whether a table of that name can hold a key.
func prefixes(name string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool { return strings.HasPrefix(s.name, settingName(name)+"-") }) ||
		slices.ContainsFunc(influxKeys, func(k influxKey) bool { return strings.HasPrefix(k.key, name+".") })
}

func (f *file) note(err error) {
	var at toml.ParseError
	switch {
	case err == nil:
	case errors.As(err, &at):
		f.wrong = append(f.wrong, at)
	default:
		f.wrong = append(f.wrong, toml.ParseError{Message: err.Error()})
	}
}

// entry is one key of a file. The decoder gives its errors their line.
type entry struct {
	file *file
	key  string // as in the file
}

// UnmarshalTOML implements toml.Unmarshaler.
func (e *entry) UnmarshalTOML(v any) error {
	l := e.file.loader
	s, influx := findSetting(settingName(e.key)), findInflux(e.key)
	if influx != nil && (s == nil || l.importing) {
		text, _ := textOf(v) // one without a text has no setting
		if s = influx.target(text); s == nil {
			l.unused = append(l.unused, unused{e.key, influx.why})
			return nil
		}
	}
	if s == nil {
		return fmt.Errorf("unknown key %q", e.key)
	}
	if e.file.seen[s.name] {
		return fmt.Errorf("%q was set before", e.key)
	}
	e.file.seen[s.name] = true
	if n, ok := v.(int64); ok && s.value == "TIME" && n != 0 { // enqueued-write-timeout of InfluxDB
		v = time.Duration(n).String()
	}
	if f, ok := v.(float64); ok && s.value == "N" {
		v = strconv.FormatFloat(f, 'g', -1, 64)
	}
	text, err := textOf(v)
	if err == nil {
		err = l.set(s, text, fromFile(e.file.name))
	}
	if err != nil {
		return fmt.Errorf("%s = %s: %w", e.key, s.shown(v), err)
	}
	return nil
}

// textOf gives a value as a flag would have it.
func textOf(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case []any:
		parts, err := textsOf(v)
		return strings.Join(parts, ","), err
	}
	return "", errors.New("not a string, a number, a switch or a list of strings")
}

func textsOf(v []any) ([]string, error) {
	parts := make([]string, len(v))
	for i := range v {
		s, ok := v[i].(string)
		if !ok {
			return nil, errors.New("not a list of strings")
		}
		parts[i] = s
	}
	return parts, nil
}
