package model

import (
	"encoding/binary"
	"fmt"
	"regexp"
)

// Op is the operator of a Predicate. The numbers are part of formats.
type Op uint8

// The operators. A tag that a series lacks compares as "" with a value, and is
// equal to no other tag.
const (
	And        Op = 1
	Or         Op = 2
	Equal      Op = 3
	NotEqual   Op = 4
	Match      Op = 5
	NotMatch   Op = 6
	Everything Op = 7
	Nothing    Op = 8
	SameTag    Op = 9  // the tags Key and Value have the same value
	OtherTag   Op = 10 // they do not
)

// MeasurementKey is the Key of a Predicate that is about the measurement's
// name. No tag has this name: a NUL cannot begin one.
const MeasurementKey = "\x00measurement"

// Predicate is a condition on the measurement and tags of a series. It is
// immutable once built. A nil Predicate holds for every series.
type Predicate struct {
	Op          Op
	Left, Right *Predicate     // And, Or
	Key         string         // a tag, or MeasurementKey
	Value       string         // Equal, NotEqual; the pattern's text for Match, NotMatch; a tag for SameTag, OtherTag
	Regexp      *regexp.Regexp // Match, NotMatch
}

// AllOf joins predicates by And, leaving out nil ones.
func AllOf(ps ...*Predicate) *Predicate {
	var all *Predicate
	for _, p := range ps {
		switch {
		case p == nil:
		case all == nil:
			all = p
		default:
			all = &Predicate{Op: And, Left: all, Right: p}
		}
	}
	return all
}

// MatchRegexp gives the predicate that the tag matches re, or does not.
func MatchRegexp(key string, re *regexp.Regexp, negate bool) *Predicate {
	op := Match
	if negate {
		op = NotMatch
	}
	return &Predicate{Op: op, Key: key, Value: re.String(), Regexp: re}
}

// IsMeasurement gives the predicate that the series' measurement is name.
func IsMeasurement(name string) *Predicate {
	return &Predicate{Op: Equal, Key: MeasurementKey, Value: name}
}

// Holds reports whether p is true of a series.
func (p *Predicate) Holds(measurement string, tags Tags) bool {
	if p == nil {
		return true
	}
	switch p.Op {
	case And:
		return p.Left.Holds(measurement, tags) && p.Right.Holds(measurement, tags)
	case Or:
		return p.Left.Holds(measurement, tags) || p.Right.Holds(measurement, tags)
	case Everything:
		return true
	case Nothing:
		return false
	case SameTag, OtherTag:
		v := tags.Get(p.Key)
		return (v != "" && v == tags.Get(p.Value)) == (p.Op == SameTag)
	}
	if p.Key == MeasurementKey {
		return p.HoldsValue(measurement)
	}
	return p.HoldsValue(tags.Get(p.Key))
}

// HoldsValue reports whether a comparison is true of a value of its key; ""
// stands for a tag that is absent. p is Equal, NotEqual, Match or NotMatch.
func (p *Predicate) HoldsValue(v string) bool {
	switch p.Op {
	case Equal:
		return v == p.Value
	case NotEqual:
		return v != p.Value
	case Match:
		return p.Regexp.MatchString(v)
	case NotMatch:
		return !p.Regexp.MatchString(v)
	}
	return false
}

// maxPredicateDepth bounds what DecodePredicate follows.
const maxPredicateDepth = 1000

// AppendPredicate adds p in binary form: its operator, then both sides, or key
// and value with their lengths as varints; 0 stands for nil.
func AppendPredicate(dst []byte, p *Predicate) []byte {
	if p == nil {
		return append(dst, 0)
	}
	dst = append(dst, byte(p.Op))
	switch p.Op {
	case And, Or:
		dst = AppendPredicate(dst, p.Left)
		return AppendPredicate(dst, p.Right)
	case Everything, Nothing:
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.Key)))
	dst = append(dst, p.Key...)
	dst = binary.AppendUvarint(dst, uint64(len(p.Value)))
	return append(dst, p.Value...)
}

// DecodePredicate reads what AppendPredicate wrote and gives the bytes after
// it. Errors are of kind ErrCorrupt.
func DecodePredicate(b []byte) (*Predicate, []byte, error) {
	return decodePredicate(b, 0)
}

func decodePredicate(b []byte, depth int) (p *Predicate, rest []byte, err error) {
	if len(b) == 0 || depth > maxPredicateDepth {
		return nil, nil, fmt.Errorf("decode predicate: %w", ErrCorrupt)
	}
	op := Op(b[0])
	b = b[1:]
	switch op {
	case 0:
		return nil, b, nil
	case And, Or:
		p = &Predicate{Op: op}
		if p.Left, b, err = decodePredicate(b, depth+1); err != nil {
			return nil, nil, err
		}
		p.Right, b, err = decodePredicate(b, depth+1)
		return p, b, err
	case Everything, Nothing:
		return &Predicate{Op: op}, b, nil
	case Equal, NotEqual, Match, NotMatch, SameTag, OtherTag:
		p = &Predicate{Op: op}
		if p.Key, b, err = decodeText(b); err != nil {
			return nil, nil, err
		}
		if p.Value, b, err = decodeText(b); err != nil {
			return nil, nil, err
		}
		if op == Match || op == NotMatch {
			if p.Regexp, err = regexp.Compile(p.Value); err != nil {
				return nil, nil, fmt.Errorf("decode predicate: %w: %w", ErrCorrupt, err)
			}
		}
		return p, b, nil
	}
	return nil, nil, fmt.Errorf("decode predicate: operator %d: %w", op, ErrCorrupt)
}

func decodeText(b []byte) (string, []byte, error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return "", nil, fmt.Errorf("decode predicate: %w", ErrCorrupt)
	}
	b = b[used:]
	return string(b[:n]), b[n:], nil
}
