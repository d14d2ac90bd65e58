package point

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/varvedb/varve/model"
)

func field(name string, v float64) []Field { return []Field{{Name: name, Value: v}} }

func TestTagsAreSortedAndTheLastOfAKeyCounts(t *testing.T) {
	r := NewRows(0)
	p := Point{Measurement: `a\,b`, Fields: field("v", 1), Tags: model.Tags{{Key: "z", Value: "1"}, {Key: "e"}, {Key: "a", Value: "1"}, {Key: "a", Value: "2"}}}
	if err := r.Add(&p); err != nil {
		t.Fatal(err)
	}
	if key := string(r.Take().Series[0].Key); key != `a\,b,a=2,z=1` {
		t.Errorf("the key is %s", key)
	}
}

func TestWhatCannotBeStoredIsRefused(t *testing.T) {
	long := strings.Repeat("x", maxKeyBytes)
	for _, c := range []struct {
		p    Point
		want error
	}{
		{Point{Fields: field("v", 1)}, noMeasurement},
		{Point{Measurement: "m"}, noField},
		{Point{Measurement: "m", Fields: field("", 1)}, noFieldName},
		{Point{Measurement: "m", Fields: field("v", math.NaN())}, badValue},
		{Point{Measurement: "m", Fields: field("v", math.Inf(1))}, badValue},
		{Point{Measurement: "m", Fields: field("time", 1)}, timeField},
		{Point{Measurement: "m", Fields: field("v", 1), Time: math.MaxInt64}, badTime},
		{Point{Measurement: "m", Fields: field("v", 1), Tags: model.Tags{{Key: "time", Value: "x"}}}, timeTag},
		{Point{Measurement: "m", Fields: field("v", 1), Tags: model.Tags{{Value: "x"}}}, noTagKey},
		{Point{Measurement: "m", Fields: field("v", 1), Tags: model.Tags{{Key: "k", Value: `x\`}}}, badName},
		{Point{Measurement: "m\n", Fields: field("v", 1)}, badName},
		{Point{Measurement: long, Fields: field("v", 1)}, keyTooLong},
	} {
		r := NewRows(0)
		if err := r.Add(&c.p); !errors.Is(err, c.want) {
			t.Errorf("%.80v: %v, want %v", c.p, err, c.want)
		}
		if b := r.Take(); b.Rows() > 0 || len(b.Series) > 0 {
			t.Errorf("%.80v was refused and left %d series", c.p, len(b.Series))
		}
	}
}

func TestPointsOfManyFieldsDoNotBecomeHoles(t *testing.T) {
	r := NewRows(0)
	const points = 5000
	for i := range points {
		if err := r.Add(&Point{Measurement: "m", Fields: field(fmt.Sprint("f", i), 1), Time: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	b := r.Take()
	slots := 0
	for i := range b.Tables {
		slots += len(b.Tables[i].Times) * len(b.Tables[i].Columns)
	}
	if b.Rows() != points || slots > 64*points {
		t.Errorf("%d rows have %d slots", b.Rows(), slots)
	}
}

func TestARowOfABatchIsTheSameAmongOthers(t *testing.T) {
	from := NewRows(0)
	for i := range 3 {
		if err := from.Add(&Point{Measurement: "m", Fields: field(fmt.Sprint("f", i%2), float64(i)), Time: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	b := from.Take()
	text := model.Column{Field: model.Field{Name: "s", Type: model.String}}
	text.AppendText([]byte("x"))
	text.AppendNull()
	text.AppendText([]byte("y"))
	b.Tables[0].Columns = append(b.Tables[0].Columns, text)

	to := NewRows(0)
	if err := to.Add(&Point{Measurement: "other", Fields: field("v", 1)}); err != nil {
		t.Fatal(err)
	}
	to.AddAll(b)
	got := to.Take().Tables[1]
	for row, want := range []map[string]any{{"f0": 0.0, "s": "x"}, {"f1": 1.0}, {"f0": 2.0, "s": "y"}} {
		values := map[string]any{}
		for _, c := range got.Columns {
			if v := c.Value(row); v != nil {
				values[c.Name] = v
			}
		}
		if fmt.Sprint(values) != fmt.Sprint(want) || got.Times[row] != int64(row) {
			t.Errorf("row %d is %v at %d, want %v", row, values, got.Times[row], want)
		}
	}
}
