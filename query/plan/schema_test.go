package plan

import (
	"reflect"
	"testing"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
)

func TestFieldsMayComeInAnyOrder(t *testing.T) {
	bind := func(fields ...model.Field) []Fragment {
		stmt, err := influxql.ParseStatement("SELECT *, a::integer FROM d.r.m")
		if err != nil {
			t.Fatal(err)
		}
		sel, err := Compile(stmt.(*influxql.SelectStatement), Options{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := sel.Bind([]Schema{{Database: "d", Policy: "r", Name: "m", Fields: fields}})
		if err != nil {
			t.Fatal(err)
		}
		var all []Fragment
		for _, f := range b.Fragments() {
			all = append(all, *f)
		}
		return all
	}
	a, other := model.Field{Name: "a", Type: model.Float}, model.Field{Name: "a", Type: model.Integer}
	b, c := model.Field{Name: "b", Type: model.String}, model.Field{Name: "c", Type: model.Boolean}
	want := bind(a, other, b, c)
	if got := bind(c, a, b, other); len(want) != 1 || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
