package graphite

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/varvedb/varve/coordinator/ingest/point"
	"github.com/varvedb/varve/model"
)

// Parser reads lines. It is safe for concurrent use.
type Parser struct {
	matcher matcher
	tags    model.Tags // for points that do not have the key
}

// ErrNaN says that a value is not a number, which Graphite's clients send for
// "nothing was measured".
var ErrNaN = errors.New("the value is NaN")

// Times that InfluxDB takes: the seconds that fit into 32 bits.
var (
	minTime = time.Date(1901, 12, 13, 0, 0, 0, 0, time.UTC)
	maxTime = time.Date(2038, 1, 19, 0, 0, 0, 0, time.UTC)
)

// NewParser gives a Parser with the templates of a configuration, each "[filter]
// template [tag=value,…]", and tags "key=value". Parts of a name or value are
// joined by the separator. Without a template for a path the whole path is the
// measurement.
func NewParser(templates, tags []string, separator string) (*Parser, error) {
	p := new(Parser)
	p.matcher.otherwise = &template{parts: []string{measurementRest}, separator: "."}
	seen := make(map[string]bool)
	for _, text := range templates {
		f, err := parseTemplate(text, separator)
		if err != nil {
			return nil, err
		}
		if seen[f.filter] {
			return nil, fmt.Errorf("template %q: there is another for the filter %q", text, f.filter)
		}
		seen[f.filter] = true
		p.matcher.add(f)
	}
	var err error
	p.tags, err = parseTags(tags)
	return p, err
}

// Parse reads a line. A point without a time gets now.
func (p *Parser) Parse(line string, now time.Time) (point.Point, error) {
	words := strings.Fields(line)
	if len(words) != 2 && len(words) != 3 {
		return point.Point{}, errors.New("not of the form path value [timestamp]")
	}
	path := words[0]
	m, err := p.matcher.find(path).apply(path)
	if err != nil {
		return point.Point{}, err
	}
	if m.measurement == "" {
		m.measurement = path
	}
	if m.field == "" {
		m.field = "value"
	}
	v, err := strconv.ParseFloat(words[1], 64)
	if err != nil {
		return point.Point{}, fmt.Errorf("value: %w", err)
	}
	if math.IsNaN(v) {
		return point.Point{}, ErrNaN
	}
	if len(words) == 3 {
		if now, err = parseTime(words[2], now); err != nil {
			return point.Point{}, err
		}
	}
	for _, t := range p.tags {
		if !slices.ContainsFunc(m.tags, func(have model.Tag) bool { return have.Key == t.Key }) {
			m.tags = append(m.tags, t)
		}
	}
	return point.Point{Measurement: m.measurement, Tags: m.tags, Fields: []point.Field{{Name: m.field, Value: v}}, Time: now.UnixNano()}, nil
}

// parseTime reads seconds since 1970, of which -1 stands for now.
func parseTime(text string, now time.Time) (time.Time, error) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return now, fmt.Errorf("time: %w", err)
	}
	if seconds == -1 {
		return now, nil
	}
	whole := math.Floor(seconds)
	if !(math.Abs(whole) < 1<<40) { // NaN, too
		return now, errors.New("timestamp out of range")
	}
	t := time.Unix(int64(whole), int64((seconds-whole)*float64(time.Second)))
	if t.Before(minTime) || t.After(maxTime) {
		return now, errors.New("timestamp out of range")
	}
	return t, nil
}
