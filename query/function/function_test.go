package function_test

import (
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

func TestEveryFunctionIsFoundByItsName(t *testing.T) {
	n := 0
	for id := range function.ID(255) {
		if !id.Valid() {
			continue
		}
		n++
		if got, ok := function.Lookup(id.String()); !ok || got != id {
			t.Errorf("Lookup(%s) is %v, %v", id, got, ok)
		}
		for ft := model.Float; ft <= model.Boolean; ft++ {
			if id.Takes(ft) && !id.Result(ft).Valid() {
				t.Errorf("%s of %s has no type", id, ft)
			}
			if s := id.States(ft); id.Aggregates() && s[0] != model.Integer {
				t.Errorf("%s: the first state is %s", id, s[0])
			}
		}
	}
	if n == 0 {
		t.Error("no functions")
	}
	if _, ok := function.Lookup("nope"); ok {
		t.Error("nope is a function")
	}
}

func TestScalars(t *testing.T) {
	for _, c := range []struct {
		name string
		x, y float64
		want float64
	}{
		{"round", -2.5, 0, -3}, {"ceil", 1.2, 0, 2}, {"abs", -3, 0, 3}, {"pow", 2, 10, 1024}, {"log", 8, 2, 3}, {"log10", 1000, 0, 3},
	} {
		s := function.LookupScalar(c.name)
		got := 0.0
		if s.Args == 1 {
			got = s.Unary(c.x)
		} else {
			got = s.Binary(c.x, c.y)
		}
		if got != c.want {
			t.Errorf("%s(%v, %v) is %v, want %v", c.name, c.x, c.y, got, c.want)
		}
	}
	if function.LookupScalar("mean") != nil {
		t.Error("mean is a scalar function")
	}
}
