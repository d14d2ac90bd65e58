package exec

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/plan"
)

// answered is a fragment and a partial that answers it.
func answered(r *rand.Rand, rows int) (*plan.Fragment, *Partial) {
	f := &plan.Fragment{}
	for i := range 5 {
		f.Inputs = append(f.Inputs, plan.Source{Type: model.FieldType(1 + i)})
	}
	switch r.IntN(3) {
	case 0:
		f.Columns = []int{0, 1, 2, 3, 4}
	case 1:
		f.Aggregates = []plan.Aggregate{{Function: function.First, Input: r.IntN(5)}}
		f.Columns = []int{3}
	case 2:
		f.Aggregates = []plan.Aggregate{{Function: function.Mean, Input: 0}, {Function: function.Distinct, Input: 3}, {Function: function.Stddev, Input: 1}}
	}
	f.Window.Every = 10
	p := &Partial{}
	for i := range r.IntN(3) {
		f.GroupBy = append(f.GroupBy, fmt.Sprint("t", i))
		p.Group = append(p.Group, strings.Repeat("v", r.IntN(3)))
	}
	for i := range rows {
		p.Times = append(p.Times, int64(i)*60e9)
	}
	for _, t := range answerTypes(f) {
		c := model.Column{Field: model.Field{Type: t}}
		sparse := r.IntN(2) == 0
		for range rows {
			switch {
			case sparse && r.IntN(3) == 0:
				c.AppendNull()
			case t == model.String:
				c.AppendText(bytes.Repeat([]byte{'x', 0, 255}, r.IntN(10)))
			case t == model.Boolean:
				c.AppendBits(r.Uint64N(2))
			default:
				c.AppendBits(r.Uint64())
			}
		}
		p.Columns = append(p.Columns, c)
	}
	return f, p
}

func TestPartialsComeBack(t *testing.T) {
	r := seeded.Rand(t)
	for range 100 {
		f, p := answered(r, []int{1, 2, 63, 64, 65, 900}[r.IntN(6)])
		got, err := DecodePartial(AppendPartial(nil, p), f)
		if err != nil {
			t.Fatalf("DecodePartial of %d rows gave %v", len(p.Times), err)
		}
		if !slices.Equal(got.Group, p.Group) || !slices.Equal(got.Times, p.Times) || got.Groups != nil {
			t.Fatalf("got group %q and %d times, want %q and %d", got.Group, len(got.Times), p.Group, len(p.Times))
		}
		for i := range p.Columns {
			for row := range p.Times {
				// Of floats the bits count: NaN is not equal to itself.
				if a, b := fmt.Sprint(p.Columns[i].Value(row)), fmt.Sprint(got.Columns[i].Value(row)); a != b {
					t.Fatalf("column %d, row %d: got %s, want %s", i, row, b, a)
				}
			}
		}
		if got.MemoryBytes() > p.MemoryBytes() {
			t.Errorf("what came takes %d bytes, %d were counted", got.MemoryBytes(), p.MemoryBytes())
		}
	}
}

func TestGroupsOfAPartialComeBack(t *testing.T) {
	f := &plan.Fragment{GroupBy: []string{"a", "b"}, GroupLimit: 2}
	for _, groups := range [][][]string{{}, {{"x", ""}}, {{"x", "y"}, {"z", ""}}} {
		got, err := DecodePartial(AppendPartial(nil, &Partial{Groups: groups}), f)
		if err != nil || !reflect.DeepEqual(got, &Partial{Groups: groups}) {
			t.Errorf("%q: got %+v, %v", groups, got, err)
		}
	}
}

func TestGroupsOutOfOrderAreCorrupt(t *testing.T) {
	f := &plan.Fragment{GroupBy: []string{"a"}, GroupLimit: 3}
	for _, groups := range [][][]string{{{"x"}, {"x"}}, {{"a"}, {"c"}, {"b"}}} {
		if _, err := DecodePartial(AppendPartial(nil, &Partial{Groups: groups}), f); !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("%q gave %v, want ErrCorrupt", groups, err)
		}
	}
}

func TestPartialThatDoesNotAnswerIsCorrupt(t *testing.T) {
	f := &plan.Fragment{
		Inputs: []plan.Source{{Type: model.Float}}, Aggregates: []plan.Aggregate{{Function: function.Sum}},
		GroupBy: []string{"t"}, Window: plan.Window{Every: 10},
	}
	column := func(t model.FieldType, values ...uint64) model.Column {
		return model.Column{Field: model.Field{Type: t}, Bits: values}
	}
	count, sum := column(model.Integer, 1, 1), column(model.Float, 1, 2)
	group, times := []string{"x"}, []int64{0, 10}
	if _, err := DecodePartial(AppendPartial(nil, &Partial{Group: group, Times: times, Columns: []model.Column{count, sum}}), f); err != nil {
		t.Fatalf("a good one gave %v", err)
	}
	for name, p := range map[string]*Partial{
		"no group":               {Times: times, Columns: []model.Column{count, sum}},
		"a group of two":         {Group: []string{"x", "y"}, Times: times, Columns: []model.Column{count, sum}},
		"no columns":             {Group: group, Times: times},
		"a column too few":       {Group: group, Times: times, Columns: []model.Column{count}},
		"a column of other type": {Group: group, Times: times, Columns: []model.Column{count, count}},
		"no rows":                {Group: group, Columns: []model.Column{column(model.Integer), column(model.Float)}},
		"windows out of order":   {Group: group, Times: []int64{10, 0}, Columns: []model.Column{count, sum}},
		"groups not asked for":   {Groups: [][]string{{"x"}}},
	} {
		if _, err := DecodePartial(AppendPartial(nil, p), f); !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("%s: got %v, want ErrCorrupt", name, err)
		}
	}
}

func TestPartialCutShortIsCorrupt(t *testing.T) {
	r := seeded.Rand(t)
	f, p := answered(r, 70)
	b := AppendPartial(nil, p)
	for n := range b {
		if _, err := DecodePartial(b[:n], f); !errors.Is(err, model.ErrCorrupt) {
			t.Fatalf("%d of %d bytes gave %v, want ErrCorrupt", n, len(b), err)
		}
	}
	if _, err := DecodePartial([]byte{partialFormat + 1}, f); !errors.Is(err, model.ErrNotSupported) {
		t.Errorf("a later format gave %v, want ErrNotSupported", err)
	}
}

func FuzzDecodePartial(f *testing.F) {
	r := seeded.Rand(f)
	fragments := []*plan.Fragment{{GroupBy: []string{"t"}, GroupLimit: 3, Report: plan.RunReport}}
	f.Add(uint8(0), AppendPartial(nil, &Partial{Report: &Report{Series: 3}}))
	f.Add(uint8(0), AppendPartial(nil, &Partial{Groups: [][]string{{"a"}}}))
	for range 8 {
		fragment, p := answered(r, 1+r.IntN(70))
		f.Add(uint8(len(fragments)), AppendPartial(nil, p))
		fragments = append(fragments, fragment)
	}
	f.Fuzz(func(t *testing.T, i uint8, b []byte) {
		fragment := fragments[int(i)%len(fragments)]
		p, err := DecodePartial(b, fragment)
		if err != nil {
			return
		}
		if _, err := DecodePartial(AppendPartial(nil, p), fragment); err != nil {
			t.Errorf("what was decoded does not come back: %v", err)
		}
	})
}

func BenchmarkPartial(b *testing.B) {
	f, p := answered(rand.New(rand.NewPCG(3, 3)), 20_000)
	buf := AppendPartial(nil, p)
	values := float64(len(p.Times) * len(p.Columns))
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = AppendPartial(buf[:0], p)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/values, "ns/value")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodePartial(buf, f); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/values, "ns/value")
	})
}
