package plan

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

func randomText(r *rand.Rand) string { return strings.Repeat("äx\x00", r.IntN(4)) }

func randomPredicate(r *rand.Rand) *model.Predicate {
	switch r.IntN(4) {
	case 0:
		return nil
	case 1:
		return model.MatchRegexp(randomText(r), regexp.MustCompile(`^a+.*$`), r.IntN(2) == 0)
	}
	return model.AllOf(model.IsMeasurement(randomText(r)), &model.Predicate{Op: model.NotEqual, Key: "k", Value: randomText(r)})
}

// randomExpr gives an expression over inputs.
func randomExpr(r *rand.Rand, inputs []Source, depth int) *Expr {
	if depth > 5 || r.IntN(4) == 0 {
		switch r.IntN(6) {
		case 0:
			return null
		case 1:
			return boolean(r.IntN(2) == 0)
		case 2:
			return &Expr{Kind: Literal, Type: model.String, Text: randomText(r)}
		case 3:
			return &Expr{Kind: Series, Type: model.Boolean, Where: randomPredicate(r)}
		case 4:
			if len(inputs) > 0 {
				i := r.IntN(len(inputs))
				return &Expr{Kind: Input, Type: inputs[i].Type, Column: i}
			}
		}
		return &Expr{Kind: Literal, Type: model.FieldType(1 + r.IntN(3)), Bits: r.Uint64()}
	}
	left := randomExpr(r, inputs, depth+1)
	switch s := function.LookupScalar([]string{"abs", "pow", "ln"}[r.IntN(3)]); {
	case left.Type == model.String && r.IntN(2) == 0:
		return &Expr{Kind: Match, Type: model.Boolean, Left: left, Regexp: regexp.MustCompile(`[a-z]{2,3}`), Negate: r.IntN(2) == 0}
	case isNumber(left.Type) && r.IntN(3) == 0:
		e := &Expr{Kind: Call, Scalar: s, Type: s.Result(left.Type), Left: left}
		if s.Args == 2 {
			e.Right = left
		}
		return e
	}
	return binary(Op(1+r.IntN(17)), left, randomExpr(r, inputs, depth+1))
}

// randomCondition gives an expression of truth.
func randomCondition(r *rand.Rand, inputs []Source) *Expr {
	for {
		if e := randomExpr(r, inputs, 0); e.Type == model.Boolean {
			return e
		}
	}
}

func randomFragment(r *rand.Rand) *Fragment {
	f := &Fragment{
		Database: randomText(r), Policy: randomText(r), Measurement: randomText(r), Where: randomPredicate(r),
		Range:      model.TimeRange{Min: int64(r.Uint64()), Max: int64(r.Uint64())},
		GroupLimit: r.IntN(5), Descending: r.IntN(2) == 0, RowLimit: r.IntN(100), Timed: r.IntN(2) == 0,
		MaxSeries: r.IntN(2), MaxPoints: r.IntN(math.MaxInt), MaxBytes: int(uint(r.Uint64()) >> 1),
	}
	for i := range r.IntN(5) {
		f.Fields = append(f.Fields, model.Field{Name: fmt.Sprint("f", i), Type: model.FieldType(1 + r.IntN(5))})
	}
	for i, field := range f.Fields {
		s := Source{Type: field.Type, Fields: []int{i}}
		if isNumber(field.Type) {
			s.Type = model.Float
		}
		if s.Type == model.String && r.IntN(2) == 0 {
			s = Source{Type: model.String, IsTag: true, Tag: field.Name}
		}
		f.Inputs = append(f.Inputs, s)
	}
	if r.IntN(2) == 0 {
		f.Filter = randomCondition(r, f.Inputs)
	}
	for i := range r.IntN(3) {
		f.GroupBy = append(f.GroupBy, fmt.Sprint("tag", i))
	}
	if r.IntN(2) == 0 {
		f.Window = Window{Every: 1 + r.Int64N(1<<40)}
		f.Window.Offset = r.Int64N(f.Window.Every) - f.Window.Every/2
		f.Window.Zone = []*time.Location{nil, time.UTC, berlin}[r.IntN(3)]
		f.Window.Months = r.IntN(3)
	}
	for i := range f.Inputs {
		if r.IntN(2) == 0 {
			f.Columns = append(f.Columns, i)
		} else if len(f.Columns) == 0 {
			f.Aggregates = append(f.Aggregates, Aggregate{Function: function.First, Input: i})
		}
	}
	if len(f.Columns) > 0 && len(f.Aggregates) > 1 {
		f.Aggregates = f.Aggregates[:1]
	}
	if n := len(f.Columns); n > 0 && f.Raw() && isNumber(f.Inputs[f.Columns[n-1]].Type) {
		f.Best = &Best{Function: []function.ID{function.Top, function.Bottom}[r.IntN(2)], N: 1 + r.IntN(9), Column: n - 1}
		if r.IntN(2) == 0 {
			f.Best.Keys = []int{}
			for i, c := range f.Columns[:n-1] {
				if f.Inputs[c].Type == model.String {
					f.Best.Keys = append(f.Best.Keys, i)
				}
			}
		}
	}
	return f
}

var berlin = func() *time.Location {
	l, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return nil
	}
	return l
}()

func TestFragmentsComeBack(t *testing.T) {
	r := seeded.Rand(t)
	for range 3000 {
		f := randomFragment(r)
		p := AppendFragment(nil, f)
		got, err := DecodeFragment(p)
		if err != nil {
			t.Fatalf("DecodeFragment of %+v gave %v", f, err)
		}
		if z, w := f.Window.Zone, got.Window.Zone; z != nil && w != nil && z.String() == w.String() {
			got.Window.Zone = z
		}
		if !reflect.DeepEqual(got, f) {
			t.Fatalf("got  %+v\nwant %+v", got, f)
		}
	}
}

func TestFragmentCutShortIsCorrupt(t *testing.T) {
	r := seeded.Rand(t)
	for range 50 {
		p := AppendFragment(nil, randomFragment(r))
		for n := range p {
			if f, err := DecodeFragment(p[:n]); !errors.Is(err, model.ErrCorrupt) {
				t.Fatalf("%d of %d bytes gave %v, %v, want ErrCorrupt", n, len(p), f, err)
			}
		}
		if _, err := DecodeFragment(append(p, 0)); !errors.Is(err, model.ErrCorrupt) {
			t.Fatalf("a byte too many gave %v, want ErrCorrupt", err)
		}
	}
}

func TestFragmentThatCannotRunIsRefused(t *testing.T) {
	float := []model.Field{{Name: "v", Type: model.Float}}
	input := []Source{{Type: model.Float, Fields: []int{0}}}
	column := &Expr{Kind: Input, Type: model.Float}
	cases := map[string]struct {
		fragment Fragment
		want     error
	}{
		"a field that is not there":     {Fragment{Fields: float, Inputs: []Source{{Type: model.Float, Fields: []int{1}}}}, model.ErrCorrupt},
		"a field of another type":       {Fragment{Fields: float, Inputs: []Source{{Type: model.String, Fields: []int{0}}}}, model.ErrCorrupt},
		"an input of no type":           {Fragment{Inputs: []Source{{Type: 9}}}, model.ErrCorrupt},
		"a column that is not there":    {Fragment{Fields: float, Inputs: input, Columns: []int{1}}, model.ErrCorrupt},
		"an aggregate of nothing":       {Fragment{Aggregates: []Aggregate{{Function: function.Sum}}}, model.ErrCorrupt},
		"an unknown aggregate":          {Fragment{Fields: float, Inputs: input, Aggregates: []Aggregate{{Function: 99}}}, model.ErrCorrupt},
		"the sum of texts":              {Fragment{Inputs: []Source{{Type: model.String, IsTag: true}}, Aggregates: []Aggregate{{Function: function.Sum}}}, model.ErrCorrupt},
		"columns beside a sum":          {Fragment{Fields: float, Inputs: input, Aggregates: []Aggregate{{Function: function.Sum}}, Columns: []int{0}}, model.ErrCorrupt},
		"a filter that is a number":     {Fragment{Fields: float, Inputs: input, Filter: column}, model.ErrCorrupt},
		"a sum of truths":               {Fragment{Filter: &Expr{Kind: Binary, Op: Add, Left: boolean(true), Right: boolean(true)}}, model.ErrCorrupt},
		"an operator that is none":      {Fragment{Filter: &Expr{Kind: Binary, Op: 99, Left: boolean(true), Right: boolean(true)}}, model.ErrCorrupt},
		"an expression of no kind":      {Fragment{Filter: &Expr{Kind: 99}}, model.ErrCorrupt},
		"a filter on what is not there": {Fragment{Filter: binary(Less, column, column)}, model.ErrCorrupt},
		"the best none":                 {Fragment{Fields: float, Inputs: input, Columns: []int{0}, Best: &Best{Function: function.Top}}, model.ErrCorrupt},
		"the best of no function":       {Fragment{Fields: float, Inputs: input, Columns: []int{0}, Best: &Best{Function: function.Sum, N: 1}}, model.ErrCorrupt},
		"the best by a key behind it":   {Fragment{Fields: float, Inputs: input, Columns: []int{0}, Best: &Best{Function: function.Top, N: 1, Keys: []int{0}}}, model.ErrCorrupt},
		"months without a length":       {Fragment{Window: Window{Months: 1}}, model.ErrCorrupt},
		"windows moved too far":         {Fragment{Window: Window{Every: 5, Offset: 6}}, model.ErrCorrupt},
		"a zone that is not known":      {Fragment{Window: Window{Every: 5, Zone: time.FixedZone("Nowhere/Else", 5)}}, model.ErrNotSupported},
	}
	for name, c := range cases {
		if _, err := DecodeFragment(AppendFragment(nil, &c.fragment)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := DecodeFragment([]byte{fragmentFormat + 1}); !errors.Is(err, model.ErrNotSupported) {
		t.Errorf("a later format: got %v, want ErrNotSupported", err)
	}
}

// nested gives a condition of n terms, one below the other.
func nested(n int) *Fragment {
	e := boolean(true)
	for range n {
		e = &Expr{Kind: Binary, Type: model.Boolean, Op: And, Left: e, Right: &Expr{Kind: Series, Type: model.Boolean}}
	}
	return &Fragment{Filter: e}
}

func TestDepthOfConditionsIsBounded(t *testing.T) {
	if _, err := DecodeFragment(AppendFragment(nil, nested(50_000))); err != nil { // more than a request may have
		t.Errorf("a long condition gave %v", err)
	}
	if _, err := DecodeFragment(AppendFragment(nil, nested(maxExprDepth+1))); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("an endless condition gave %v, want ErrCorrupt", err)
	}
}

func FuzzDecodeFragment(f *testing.F) {
	r := seeded.Rand(f)
	for range 20 {
		f.Add(AppendFragment(nil, randomFragment(r)))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := DecodeFragment(p)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<30 {
			t.Errorf("%d bytes of message took %d", len(p), n)
		}
		if err != nil {
			return
		}
		again, err := DecodeFragment(AppendFragment(nil, got))
		if err != nil || !bytes.Equal(AppendFragment(nil, again), AppendFragment(nil, got)) {
			t.Errorf("what was decoded does not come back: %v", err)
		}
	})
}

func BenchmarkDecodeFragment(b *testing.B) {
	f := randomFragment(rand.New(rand.NewPCG(1, 1)))
	p := AppendFragment(nil, f)
	for b.Loop() {
		if _, err := DecodeFragment(p); err != nil {
			b.Fatal(err)
		}
	}
}
