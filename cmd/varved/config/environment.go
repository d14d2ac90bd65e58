package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Prefixes of the names of variables in the environment: ours, and InfluxDB's
// for its keys and ours.
const (
	ourPrefix    = "VARVE_"
	influxPrefix = "INFLUXDB_"
)

// variable gives the name of the setting's variable.
func (s *setting) variable(prefix string) string { return variable(prefix, s.name) }

func variable(prefix, key string) string {
	return prefix + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(key))
}

// environment is the variables that begin with one of the prefixes.
type environment map[string]string

func parseEnvironment(environ []string) environment {
	env := make(environment)
	for _, e := range environ {
		name, value, ok := strings.Cut(e, "=")
		if ok && (strings.HasPrefix(name, ourPrefix) || strings.HasPrefix(name, influxPrefix)) {
			env[name] = value
		}
	}
	return env
}

// Variables that name the file of settings.
const (
	ourFile    = ourPrefix + "CONFIG"
	influxFile = influxPrefix + "CONFIG_PATH"
)

func (env environment) file() string {
	if name := env[ourFile]; name != "" {
		return name
	}
	return env[influxFile]
}

// environment sets what variables say. InfluxDB's come first, so that ours win.
func (l *loader) environment(env environment) error {
	known := map[string]bool{ourFile: true, influxFile: true}
	for _, prefix := range []string{influxPrefix, ourPrefix} {
		if prefix == influxPrefix {
			if err := l.influxEnvironment(env, known); err != nil {
				return err
			}
		}
		for i := range settings {
			s := &settings[i]
			name := s.variable(prefix)
			v, ok := env[name]
			// As in InfluxDB, where an empty variable is none.
			if known[name] = true; !ok || v == "" && prefix == influxPrefix {
				continue
			}
			if err := l.set(s, v, name); err != nil {
				return fmt.Errorf("%s=%s: %w", name, s.shown(v), err)
			}
		}
		if err := l.listenerEnvironment(env, prefix, known); err != nil {
			return err
		}
	}
	// Not an error: Kubernetes makes such variables for a service named varve.
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !known[name] {
			l.warnings = append(l.warnings, "no setting belongs to the environment variable "+name)
		}
	}
	return nil
}

// influxEnvironment sets what variables for keys of InfluxDB say that have
// another name here, or none.
func (l *loader) influxEnvironment(env environment, known map[string]bool) error {
	for i := range influxKeys {
		k := &influxKeys[i]
		name := variable(influxPrefix, k.key)
		v := env[name]
		if s := findSetting(settingName(k.key)); s != nil {
			continue // under its own name
		}
		if known[name] = true; v == "" {
			continue
		}
		s := k.target(v)
		if s == nil {
			l.unused = append(l.unused, unused{name, k.why})
			continue
		}
		if err := l.set(s, v, name); err != nil {
			return fmt.Errorf("%s=%s: %w", name, s.shown(v), err)
		}
	}
	return nil
}
