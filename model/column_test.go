package model_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/varvedb/varve/model"
)

// values gives a column's rows, nil where there is none.
func values(c *model.Column) []any {
	out := make([]any, c.Len())
	for i := range out {
		out[i] = c.Value(i)
	}
	return out
}

func TestColumnRemembersWhatIsAbsent(t *testing.T) {
	c := model.Column{Field: model.Field{Name: "f", Type: model.Integer}}
	var want []any
	for i := range 200 {
		if i == 70 || i > 190 {
			c.AppendNull()
			want = append(want, nil)
			continue
		}
		c.AppendBits(uint64(i))
		want = append(want, int64(i))
	}
	if diff := cmp.Diff(want, values(&c)); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if c.Count() != 190 || c.Len() != 200 {
		t.Errorf("Count = %d, Len = %d; want 190, 200", c.Count(), c.Len())
	}
}

func TestColumnHoldsEveryType(t *testing.T) {
	tests := []struct {
		typ  model.FieldType
		bits uint64
		want any
	}{
		{model.Float, math.Float64bits(-1.5), -1.5},
		{model.Integer, math.MaxUint64, int64(-1)},
		{model.Unsigned, math.MaxUint64, uint64(math.MaxUint64)},
		{model.Boolean, 1, true},
	}
	for _, tt := range tests {
		c := model.Column{Field: model.Field{Type: tt.typ}}
		c.AppendBits(tt.bits)
		if got := c.Value(0); got != tt.want {
			t.Errorf("%v: Value = %v, want %v", tt.typ, got, tt.want)
		}
	}
	c := model.Column{Field: model.Field{Type: model.String}}
	c.AppendText([]byte("one"))
	c.AppendNull()
	c.AppendText(nil)
	c.AppendText([]byte("four"))
	if diff := cmp.Diff([]any{"one", nil, "", "four"}, values(&c)); diff != "" {
		t.Error(diff)
	}
}

func TestColumnViewsShareMemory(t *testing.T) {
	c := model.Column{Bits: []uint64{math.Float64bits(2), 3}}
	c.Float64s()[0] = 4
	c.Int64s()[1] = -1
	if c.Bits[0] != math.Float64bits(4) || c.Bits[1] != math.MaxUint64 {
		t.Errorf("Bits = %x", c.Bits)
	}
}

func TestSelectTakesRowsInTheOrderGiven(t *testing.T) {
	b := model.Table{
		Measurement: "m",
		Series:      []uint32{0, 1, 2},
		Times:       []int64{10, 20, 30},
		Columns: []model.Column{
			{Field: model.Field{Name: "a", Type: model.Integer}, Bits: []uint64{1, 2, 3}},
			{Field: model.Field{Name: "b", Type: model.Integer}, Present: model.Bitmap{2}, Bits: []uint64{0, 5, 0}},
		},
	}
	got := b.Select([]uint32{2, 0})
	want := model.Table{
		Measurement: "m",
		Series:      []uint32{2, 0},
		Times:       []int64{30, 10},
		Columns:     []model.Column{{Field: model.Field{Name: "a", Type: model.Integer}, Bits: []uint64{3, 1}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Select (-want +got):\n%s", diff)
	}
	batch := model.Batch{Tables: []model.Table{b, got}}
	if r := batch.Range(); batch.Rows() != 5 || r != (model.TimeRange{Min: 10, Max: 30}) {
		t.Errorf("Rows = %d, Range = %v", batch.Rows(), r)
	}
}

func TestBitmapGrowsWithZeros(t *testing.T) {
	b := model.NewBitmap(3)
	b.Set(2)
	b = b.Grow(130)
	b.Set(129)
	b.Clear(2)
	if b.Get(2) || !b.Get(129) || b.Count() != 1 || !model.Bitmap(nil).Get(5) {
		t.Errorf("bitmap %x", b)
	}
}
