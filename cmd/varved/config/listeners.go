package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/varvedb/varve/coordinator/ingest"
)

// Listeners beside HTTP are arrays of tables, as [[udp]]: the only settings of
// which there may be several. Their keys are the tags of ingest.Config.

// maxListeners bounds how many of a kind there may be.
const maxListeners = 64

// isListener reports whether a table is an array of listeners.
func isListener(table string) bool { return listenersOf(&ingest.Config{}, table).IsValid() }

// listenersOf gives the field of c that has the listeners of one kind.
func listenersOf(c *ingest.Config, kind string) reflect.Value {
	return fieldOf(reflect.ValueOf(c).Elem(), kind)
}

// fieldOf gives the field whose key is key, or the zero Value.
func fieldOf(v reflect.Value, key string) reflect.Value {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("toml") == key {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// keysOf gives the keys of a listener or of the kinds of listeners.
func keysOf(t reflect.Type) []string {
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i] = t.Field(i).Tag.Get("toml")
	}
	return keys
}

// addListener adds one with its defaults.
func addListener(all reflect.Value, kind string) reflect.Value {
	defaults := ingest.DefaultConfig()
	all.Set(reflect.Append(all, listenersOf(&defaults, kind).Index(0)))
	return all.Index(all.Len() - 1)
}

// listeners sets what the tables of one kind say.
func (f *file) listeners(kind string, p toml.Primitive) {
	if !strings.HasPrefix(f.md.Type(kind), "Array") {
		f.note(f.md.PrimitiveDecode(p, new(single)))
		return
	}
	var tables []map[string]toml.Primitive
	if err := f.md.PrimitiveDecode(p, &tables); err != nil {
		f.note(err)
		return
	}
	all := listenersOf(&f.loader.config.Listeners, kind)
	all.SetZero() // in place of the one there is by default
	for i, table := range tables {
		if i == maxListeners {
			f.note(fmt.Errorf("more than %d tables [[%s]]", maxListeners, kind))
			return
		}
		one := addListener(all, kind)
		for _, key := range slices.Sorted(maps.Keys(table)) {
			to := fieldOf(one, key)
			f.note(f.md.PrimitiveDecode(table[key], &listenerEntry{kind + "." + key, to}))
			f.loader.listeners[listenerKey(kind, i, key)] = fromFile(f.name)
		}
	}
}

// single is a table of which there may be several.
type single struct{}

// UnmarshalTOML implements toml.Unmarshaler.
func (*single) UnmarshalTOML(any) error {
	return errors.New("there may be several: write it in two brackets, as [[udp]]")
}

func listenerKey(kind string, i int, key string) string { return fmt.Sprintf("%s.%d.%s", kind, i, key) }

// listenerEntry is one key of a listener in a file.
type listenerEntry struct {
	key string
	to  reflect.Value // the zero Value: there is no such key
}

// UnmarshalTOML implements toml.Unmarshaler.
func (e *listenerEntry) UnmarshalTOML(v any) error {
	if !e.to.IsValid() {
		return fmt.Errorf("unknown key %q", e.key)
	}
	if texts, ok := v.([]any); ok && e.to.Kind() == reflect.Slice {
		list, err := textsOf(texts)
		if err != nil {
			return fmt.Errorf("%s = %v: %w", e.key, v, err)
		}
		e.to.Set(reflect.ValueOf(slices.Clip(append([]string(nil), list...)))) // nil where it is empty
		return nil
	}
	text, err := textOf(v)
	if err == nil {
		err = setField(e.to, text)
	}
	if err != nil {
		return fmt.Errorf("%s = %v: %w", e.key, v, err)
	}
	return nil
}

// setField sets a field of a listener.
func setField(to reflect.Value, text string) error {
	switch to.Interface().(type) {
	case string:
		to.SetString(text)
	case bool:
		b, err := parseSwitch(text)
		if err != nil {
			return err
		}
		to.SetBool(b)
	case time.Duration:
		d, err := parseTimeOrNone(text)
		if err != nil {
			return err
		}
		to.SetInt(int64(d))
	case int:
		n, err := parseSize(text)
		if err != nil {
			return err
		}
		to.SetInt(n)
	case []string:
		to.Set(reflect.ValueOf(list(text)))
	default:
		return errors.New("it cannot be set")
	}
	return nil
}

// listenerEnvironment sets what variables say of listeners: VARVE_UDP_0_DATABASE
// of one, VARVE_UDP_DATABASE of all, VARVE_GRAPHITE_0_TEMPLATES_0 of one
// element of a list. The number after the last one of the file adds one.
func (l *loader) listenerEnvironment(env environment, prefix string, known map[string]bool) error {
	for _, kind := range keysOf(reflect.TypeFor[ingest.Config]()) {
		all := listenersOf(&l.config.Listeners, kind)
		for i := all.Len(); i < maxListeners && env.has(variable(prefix, kind+"."+strconv.Itoa(i)+".")); i++ {
			addListener(all, kind)
		}
		for i := range all.Len() {
			one := all.Index(i)
			for _, key := range keysOf(one.Type()) {
				for _, name := range []string{variable(prefix, kind+"."+key), variable(prefix, listenerKey(kind, i, key))} {
					if err := l.listenerVariable(env, name, fieldOf(one, key), known); err != nil {
						return err
					}
					if env.has(name) {
						l.listeners[listenerKey(kind, i, key)] = name
					}
				}
			}
		}
	}
	return nil
}

// has reports whether a variable begins with prefix.
func (env environment) has(prefix string) bool {
	for name := range env {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func (l *loader) listenerVariable(env environment, name string, to reflect.Value, known map[string]bool) error {
	if v := env[name]; v != "" {
		if err := setField(to, v); err != nil {
			return fmt.Errorf("%s=%q: %w", name, v, err)
		}
	}
	known[name] = true
	texts, ok := to.Interface().([]string)
	texts = slices.Clone(texts)
	for i := 0; ok; i++ {
		element := name + "_" + strconv.Itoa(i)
		v, given := env[element]
		known[element] = true
		switch {
		case given && i < len(texts):
			texts[i] = v
		case given:
			texts = append(texts, v)
		case i >= len(texts):
			to.Set(reflect.ValueOf(texts))
			return nil
		}
	}
	return nil
}
