package remote

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/varvedb/varve/model"
)

const (
	maxMatchers     = 500      // of a read; their joined predicate is as deep
	maxPatternBytes = 64 << 10 // as in InfluxQL
)

// matchType says how a Matcher compares.
type matchType int64

const (
	equal matchType = iota
	notEqual
	match
	notMatch
)

// Matcher is a condition on a label.
type Matcher struct {
	Type        matchType
	Name, Value string
}

// String gives m as PromQL has it.
func (m Matcher) String() string {
	return fmt.Sprintf("%s%s%q", m.Name, [...]string{"=", "!=", "=~", "!~"}[m.Type], m.Value)
}

// Read is what a ReadRequest asks for.
type Read struct {
	Range    model.TimeRange
	Matchers []Matcher
}

// Field is the name of the field that samples are read of.
const Field = valueField

// String gives the matchers as PromQL has them.
func (r *Read) String() string {
	texts := make([]string, len(r.Matchers))
	for i, m := range r.Matchers {
		texts[i] = m.String()
	}
	return "{" + strings.Join(texts, ",") + "}"
}

// DecodeRead reads a ReadRequest. Of several queries InfluxDB answers none.
func DecodeRead(b []byte) (*Read, error) {
	var queries [][]byte
	f := fields{rest: b}
	for f.next() {
		if f.is(1, protowire.BytesType) {
			queries = append(queries, f.message())
		}
	}
	if f.err != nil {
		return nil, invalid(f.err)
	}
	if len(queries) != 1 {
		return nil, &model.Error{Kind: model.ErrInvalid, Text: "Prometheus read endpoint currently only supports one query at a time"}
	}
	return decodeQuery(queries[0])
}

func decodeQuery(b []byte) (*Read, error) {
	r := new(Read)
	var from, to int64
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.is(1, protowire.VarintType):
			from = f.varint()
		case f.is(2, protowire.VarintType):
			to = f.varint()
		case f.is(3, protowire.BytesType):
			if len(r.Matchers) == maxMatchers {
				return nil, &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("more than %d matchers", maxMatchers)}
			}
			m, err := decodeMatcher(f.message())
			if err != nil {
				return nil, err
			}
			r.Matchers = append(r.Matchers, m)
		}
	}
	if f.err != nil {
		return nil, invalid(f.err)
	}
	if len(r.Matchers) == 0 {
		return nil, &model.Error{Kind: model.ErrInvalid, Text: "expected matcher"}
	}
	r.Range = model.TimeRange{Min: nanoseconds(from), Max: nanoseconds(to)}
	return r, nil
}

// nanoseconds gives a time, or the nearest one that there is.
func nanoseconds(millis int64) int64 {
	const unit = int64(time.Millisecond)
	switch {
	case millis < model.MinTime/unit:
		return model.MinTime
	case millis > model.MaxTime/unit:
		return model.MaxTime
	}
	return millis * unit
}

func decodeMatcher(b []byte) (Matcher, error) {
	var m Matcher
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.is(1, protowire.VarintType):
			m.Type = matchType(f.varint())
		case f.is(2, protowire.BytesType):
			m.Name = string(f.text())
		case f.is(3, protowire.BytesType):
			m.Value = string(f.text())
		}
	}
	switch {
	case f.err != nil:
		return m, invalid(f.err)
	case m.Type < equal || m.Type > notMatch:
		return m, &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("unknown match type %d", m.Type)}
	}
	return m, nil
}

// Predicates gives the conditions on the measurement's name and on the tags. A
// pattern has to match a whole value, and a label that a series lacks is "".
func (r *Read) Predicates() (measurements, series *model.Predicate, err error) {
	for _, m := range r.Matchers {
		to := &series
		key := m.Name
		if key == nameLabel {
			to, key = &measurements, model.MeasurementKey
		}
		p, err := m.predicate(key)
		if err != nil {
			return nil, nil, err
		}
		*to = model.AllOf(*to, p)
	}
	return measurements, series, nil
}

func (m Matcher) predicate(key string) (*model.Predicate, error) {
	switch m.Type {
	case equal:
		return &model.Predicate{Op: model.Equal, Key: key, Value: m.Value}, nil
	case notEqual:
		return &model.Predicate{Op: model.NotEqual, Key: key, Value: m.Value}, nil
	}
	if len(m.Value) > maxPatternBytes {
		return nil, &model.Error{Kind: model.ErrInvalid, Text: fmt.Sprintf("a regular expression of %d bytes, the limit is %d", len(m.Value), maxPatternBytes)}
	}
	re, err := regexp.Compile("^(?:" + m.Value + ")$")
	if err != nil {
		return nil, invalid(err)
	}
	return model.MatchRegexp(key, re, m.Type == notMatch), nil
}
