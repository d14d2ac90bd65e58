package graphite

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/varvedb/varve/model"
)

// template says what the parts of a path are.
type template struct {
	parts     []string // "" is skipped; else a tag, or one of the words below
	tags      model.Tags
	separator string
}

// The words of a template that are no tags.
const (
	measurementPart = "measurement"
	measurementRest = "measurement*" // this part and all that follow
	fieldPart       = "field"
	fieldRest       = "field*"
)

// filtered is a template with the paths it is for.
type filtered struct {
	filter string // "": those that no filter is for
	*template
}

var errFieldTwice = errors.New("the template has several fields for it")

// parseTemplate reads "[filter] template [tag=value,…]".
func parseTemplate(text, separator string) (filtered, error) {
	words := strings.Fields(text)
	var out filtered
	t := &template{separator: separator}
	if n := len(words); n > 1 && strings.Contains(words[n-1], "=") {
		tags, err := parseTags(strings.Split(words[n-1], ","))
		if err != nil {
			return out, err
		}
		t.tags, words = tags, words[:n-1]
	}
	switch len(words) {
	case 1:
	case 2:
		out.filter, words = words[0], words[1:]
		if err := checkFilter(out.filter); err != nil {
			return out, err
		}
	default:
		return out, fmt.Errorf("template %q: not of the form [filter] template [tag=value,…]", text)
	}
	t.parts = strings.Split(words[0], ".")
	measurements, rests := 0, 0
	for _, p := range t.parts {
		switch p {
		case measurementPart:
			measurements++
		case measurementRest:
			measurements++
			rests++
		case fieldRest:
			rests++
		}
	}
	switch {
	case measurements == 0:
		return out, fmt.Errorf("template %q: no measurement in it", text)
	case rests > 1:
		return out, fmt.Errorf("template %q: only one of measurement* and field* may be there, and once", text)
	}
	out.template = t
	return out, nil
}

func checkFilter(filter string) error {
	for _, p := range strings.Split(filter, ".") {
		if p == "" || strings.Contains(p, "*") && p != "*" {
			return fmt.Errorf("filter %q: a part is empty, or * is only a part of it", filter)
		}
	}
	return nil
}

// parseTags reads "key=value" of each. Of several with one key the last counts.
func parseTags(texts []string) (model.Tags, error) {
	var tags model.Tags
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" || value == "" || strings.Contains(value, "=") {
			return nil, fmt.Errorf("tag %q: not of the form key=value", text)
		}
		tags = slices.DeleteFunc(tags, func(t model.Tag) bool { return t.Key == key })
		tags = append(tags, model.Tag{Key: key, Value: value})
	}
	return tags, nil
}

// metric is what a path means.
type metric struct {
	measurement, field string
	tags               model.Tags // distinct; a value may be empty
}

// apply reads a path. Several parts of one name are joined by the separator.
func (t *template) apply(path string) (metric, error) {
	var m metric
	var name []string
	m.tags = append(m.tags, t.tags...)
	parts := strings.Split(path, ".")
	for i, is := range t.parts[:min(len(t.parts), len(parts))] {
		switch is {
		case "":
		case measurementPart:
			name = append(name, parts[i])
		case fieldPart:
			if m.field != "" {
				return m, errFieldTwice
			}
			m.field = parts[i]
		case fieldRest:
			m.field = strings.Join(parts[i:], t.separator)
		case measurementRest:
			name = append(name, parts[i:]...)
		default:
			m.addTag(is, parts[i], t.separator)
		}
		if is == fieldRest || is == measurementRest {
			break // it has taken all that follows
		}
	}
	m.measurement = strings.Join(name, t.separator)
	return m, nil
}

// addTag adds to the value of a tag.
func (m *metric) addTag(key, value, separator string) {
	for i := range m.tags {
		if m.tags[i].Key == key {
			m.tags[i].Value += separator + value
			return
		}
	}
	m.tags = append(m.tags, model.Tag{Key: key, Value: value})
}
