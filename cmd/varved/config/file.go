package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// loadFile sets what a TOML file says. A key is the setting's name, of which
// the part before a dash may be a table: http-bind-address, or bind-address
// under [http]; an underscore is a dash, since InfluxDB has
// [continuous_queries]. The error is about the first line that is wrong.
func loadFile(c *Config, name, text string) error {
	top := make(map[string]toml.Primitive)
	md, err := toml.Decode(text, &top)
	if err != nil {
		return inFile(name, err)
	}
	f := &file{config: c, md: &md, seen: make(map[string]bool)}
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

type file struct {
	config *Config
	md     *toml.MetaData
	seen   map[string]bool // settings set so far
	wrong  []toml.ParseError
}

// table sets what is in a table.
func (f *file) table(path []string, entries map[string]toml.Primitive) {
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		at := append(slices.Clip(path), key)
		name := strings.ReplaceAll(strings.Join(at, "-"), "_", "-")
		if f.md.Type(at...) == "Hash" && prefixes(name) {
			inner := make(map[string]toml.Primitive)
			if err := f.md.PrimitiveDecode(entries[key], &inner); err != nil {
				f.note(err)
				continue
			}
			f.table(at, inner)
			continue
		}
		f.note(f.md.PrimitiveDecode(entries[key], &entry{file: f, key: strings.Join(at, "."), name: name}))
	}
}

// prefixes reports whether a table of that name can hold a setting.
func prefixes(name string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool { return strings.HasPrefix(s.name, name+"-") })
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
	name string // of the setting
}

// UnmarshalTOML implements toml.Unmarshaler.
func (e *entry) UnmarshalTOML(v any) error {
	s := findSetting(e.name)
	switch {
	case s == nil:
		return fmt.Errorf("unknown key %q", e.key)
	case e.file.seen[e.name]:
		return fmt.Errorf("%q was set before", e.key)
	}
	e.file.seen[e.name] = true
	text, err := textOf(v)
	if err == nil {
		err = s.set(e.file.config, text)
	}
	if err != nil {
		return fmt.Errorf("%s = %v: %w", e.key, quoted(v), err)
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
		parts := make([]string, len(v))
		for i := range v {
			s, ok := v[i].(string)
			if !ok {
				return "", errors.New("not a list of strings")
			}
			parts[i] = s
		}
		return strings.Join(parts, ","), nil
	}
	return "", errors.New("not a string, a number, a switch or a list of strings")
}

func quoted(v any) any {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return v
}
