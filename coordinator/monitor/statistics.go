package monitor

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// module is the statistics of one name: a row for each set of values of its tags.
type module struct {
	name    string
	only    map[string]string // labels that a sample must have to be of the module
	tags    []tag
	columns []column
	always  bool // it has a row of zeros before anything is counted
}

// tag is a tag of a module's rows: a label of the metrics, or a text that is the
// same in all rows.
type tag struct{ name, label, text string }

// column is a statistic of InfluxDB: the sum of some metrics.
type column struct {
	name  string
	scale float64 // 0 is 1
	of    []source
}

// source is a metric, of which only those samples count whose label begins with
// one of the prefixes; no label is all of them.
type source struct {
	metric   string
	label    string
	prefixes []string
}

func (s *source) holds(labels map[string]string) bool {
	return s.label == "" || slices.ContainsFunc(s.prefixes, func(p string) bool { return strings.HasPrefix(labels[s.label], p) })
}

// statistics gives the rows of all modules, sorted. A module of which nothing is
// measured is not told, unless it is always; one of which something is has all
// columns: a metric with labels is not there before it counts.
func statistics(modules []module, all samples) []query.Statistic {
	var rows []query.Statistic
	for i := range modules {
		rows = append(rows, modules[i].rows(all)...)
	}
	slices.SortFunc(rows, compare)
	return rows
}

// rows gives the rows of a module.
func (m *module) rows(all samples) []query.Statistic {
	at := map[string]int{}
	var rows []query.Statistic
	// row gives the index of the row that a sample belongs to; -1 when it lacks a
	// label that rows are told apart by.
	row := func(labels map[string]string) int {
		tags := make(model.Tags, 0, len(m.tags))
		var key strings.Builder
		for _, t := range m.tags {
			value := t.text
			if t.label != "" {
				if value = labels[t.label]; value == "" {
					return -1
				}
			}
			tags = append(tags, model.Tag{Key: t.name, Value: value})
			key.WriteString(value)
			key.WriteByte(0)
		}
		i, ok := at[key.String()]
		if !ok {
			i = len(rows)
			at[key.String()] = i
			slices.SortFunc(tags, func(a, b model.Tag) int { return strings.Compare(a.Key, b.Key) })
			rows = append(rows, query.Statistic{Name: m.name, Tags: tags, Values: map[string]int64{}})
		}
		return i
	}
	if m.always {
		row(nil)
	}
	for i := range m.columns {
		c := &m.columns[i]
		sums := map[int]float64{}
		for j := range c.of {
			for _, s := range all[c.of[j].metric] {
				if !m.has(s.labels) {
					continue
				}
				r := row(s.labels)
				if r < 0 {
					continue
				}
				if v := s.value; c.of[j].holds(s.labels) && !math.IsNaN(v) {
					sums[r] += v
				}
			}
		}
		for r, sum := range sums {
			rows[r].Values[c.name] = int64(math.Round(sum * cmp.Or(c.scale, 1)))
		}
	}
	for _, r := range rows {
		for i := range m.columns {
			r.Values[m.columns[i].name] += 0
		}
	}
	return rows
}

func (m *module) has(labels map[string]string) bool {
	for label, value := range m.only {
		if labels[label] != value {
			return false
		}
	}
	return true
}

// compare orders rows by name and tags.
func compare(a, b query.Statistic) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), slices.CompareFunc(a.Tags, b.Tags, func(a, b model.Tag) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Value, b.Value))
	}))
}
