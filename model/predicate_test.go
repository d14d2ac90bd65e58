package model_test

import (
	"errors"
	"regexp"
	"testing"

	"github.com/varvedb/varve/model"
)

var predicates = []struct {
	name  string
	p     *model.Predicate
	holds bool // of m,host=a,rack=r1
}{
	{"nil", nil, true},
	{"equal", &model.Predicate{Op: model.Equal, Key: "host", Value: "a"}, true},
	{"equal another", &model.Predicate{Op: model.Equal, Key: "host", Value: "b"}, false},
	{"not equal", &model.Predicate{Op: model.NotEqual, Key: "host", Value: "b"}, true},
	{"absent equals nothing", &model.Predicate{Op: model.Equal, Key: "none", Value: ""}, true},
	{"absent differs", &model.Predicate{Op: model.NotEqual, Key: "none", Value: "x"}, true},
	{"match", model.MatchRegexp("rack", regexp.MustCompile(`^r\d$`), false), true},
	{"not match", model.MatchRegexp("rack", regexp.MustCompile(`^r\d$`), true), false},
	{"a tag with itself", &model.Predicate{Op: model.SameTag, Key: "host", Value: "host"}, true},
	{"a tag with another", &model.Predicate{Op: model.SameTag, Key: "host", Value: "rack"}, false},
	{"a tag not with another", &model.Predicate{Op: model.OtherTag, Key: "host", Value: "rack"}, true},
	{"absent tags", &model.Predicate{Op: model.SameTag, Key: "none", Value: "no"}, false},
	{"not absent tags", &model.Predicate{Op: model.OtherTag, Key: "none", Value: "no"}, true},
	{"measurement", model.IsMeasurement("m"), true},
	{"another measurement", model.IsMeasurement("n"), false},
	{"everything", &model.Predicate{Op: model.Everything}, true},
	{"nothing", &model.Predicate{Op: model.Nothing}, false},
	{"and", model.AllOf(model.IsMeasurement("m"), nil, model.IsMeasurement("n")), false},
	{"or", &model.Predicate{Op: model.Or, Left: model.IsMeasurement("n"), Right: model.IsMeasurement("m")}, true},
}

func TestPredicateHolds(t *testing.T) {
	tags := model.Tags{{Key: "host", Value: "a"}, {Key: "rack", Value: "r1"}}
	for _, tt := range predicates {
		if got := tt.p.Holds("m", tags); got != tt.holds {
			t.Errorf("%s: Holds = %t, want %t", tt.name, got, tt.holds)
		}
		b := model.AppendPredicate(nil, tt.p)
		p, rest, err := model.DecodePredicate(append(b, "rest"...))
		if err != nil || string(rest) != "rest" {
			t.Errorf("%s: DecodePredicate leaves %q, %v", tt.name, rest, err)
			continue
		}
		if got := p.Holds("m", tags); got != tt.holds {
			t.Errorf("%s: decoded, Holds = %t, want %t", tt.name, got, tt.holds)
		}
		for n := range b {
			if _, _, err := model.DecodePredicate(b[:n]); !errors.Is(err, model.ErrCorrupt) {
				t.Errorf("%s: cut to %d bytes: %v", tt.name, n, err)
			}
		}
	}
}

func TestDeepPredicateIsCorrupt(t *testing.T) {
	b := make([]byte, 1<<20)
	for i := range b {
		b[i] = byte(model.And)
	}
	if _, _, err := model.DecodePredicate(b); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("DecodePredicate = %v, want ErrCorrupt", err)
	}
}

func FuzzDecodePredicate(f *testing.F) {
	for _, tt := range predicates {
		f.Add(model.AppendPredicate(nil, tt.p))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, rest, err := model.DecodePredicate(b)
		if err != nil {
			if !errors.Is(err, model.ErrCorrupt) {
				t.Errorf("error of no kind: %v", err)
			}
			return
		}
		if len(rest) > len(b) {
			t.Errorf("%d bytes left of %d", len(rest), len(b))
		}
		p.Holds("m", model.Tags{{Key: "host", Value: "a"}})
	})
}
