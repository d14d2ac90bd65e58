package opentsdb

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/varvedb/varve/coordinator/ingest/point"
	"github.com/varvedb/varve/model"
)

// What is wrong with a line. InfluxDB counts each by itself.
var (
	ErrLine  = errors.New("malformed line")
	ErrTime  = errors.New("malformed time")
	ErrValue = errors.New("malformed value")
	ErrTag   = errors.New("malformed tag")
)

// ParseLine reads "put metric timestamp value [tag=value …]". With ErrTag there is
// a point nevertheless, without the tags that are malformed.
func ParseLine(line string) (point.Point, error) {
	words := strings.Fields(line)
	if len(words) < 4 || words[0] != "put" {
		return point.Point{}, ErrLine
	}
	var p point.Point
	p.Measurement = words[1]
	n, err := strconv.ParseInt(words[2], 10, 64)
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrTime, err)
	}
	switch len(words[2]) {
	case 10:
		p.Time = inNanoseconds(n, time.Second)
	case 13:
		p.Time = inNanoseconds(n, time.Millisecond)
	default:
		return p, fmt.Errorf("%w: it must have 10 or 13 digits", ErrTime)
	}
	v, err := strconv.ParseFloat(words[3], 64)
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrValue, err)
	}
	p.Fields = []point.Field{{Name: valueField, Value: v}}
	var bad error
	for _, word := range words[4:] {
		key, value, ok := strings.Cut(word, "=")
		if !ok || key == "" || value == "" {
			bad = ErrTag
			continue
		}
		p.Tags = append(p.Tags, model.Tag{Key: key, Value: value})
	}
	return p, bad
}

// valueField is the field that every value is stored in.
const valueField = "value"
