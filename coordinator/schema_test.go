package coordinator

import (
	"math"
	"slices"
	"testing"

	"github.com/varvedb/varve/model"
)

// cells makes a table of a measurement m with one series, a row for each map
// of field to float64, int64, string or bool.
func cells(rows ...map[string]any) model.Table {
	t := model.Table{Measurement: "m"}
	find := func(f model.Field) int {
		i := slices.IndexFunc(t.Columns, func(c model.Column) bool { return c.Field == f })
		if i < 0 {
			c := model.Column{Field: f}
			for range t.Times {
				c.AppendNull()
			}
			t.Columns = append(t.Columns, c)
			i = len(t.Columns) - 1
		}
		return i
	}
	for n, row := range rows {
		names := make([]string, 0, len(row))
		for name := range row {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			switch v := row[name].(type) {
			case float64:
				t.Columns[find(model.Field{Name: name, Type: model.Float})].AppendBits(math.Float64bits(v))
			case int64:
				t.Columns[find(model.Field{Name: name, Type: model.Integer})].AppendBits(uint64(v))
			case string:
				t.Columns[find(model.Field{Name: name, Type: model.String})].AppendText([]byte(v))
			case bool:
				t.Columns[find(model.Field{Name: name, Type: model.Boolean})].AppendBits(1)
			}
		}
		t.Series = append(t.Series, 0)
		t.Times = append(t.Times, int64(n))
		for i := range t.Columns {
			if t.Columns[i].Len() <= n {
				t.Columns[i].AppendNull()
			}
		}
	}
	return t
}

func TestRowsThatContradictTheSchemaAreRefusedWhole(t *testing.T) {
	type row = map[string]any
	tests := []struct {
		name   string
		agreed types
		rows   []row
		drop   []int
		fresh  []model.Field
		reason string
	}{
		{
			name:   "known type",
			agreed: types{"v": model.Float},
			rows:   []row{{"v": 1.0}, {"v": int64(1), "w": 2.0}, {"v": 2.0}},
			drop:   []int{1},
			reason: `field type conflict: input field "v" on measurement "m" is type integer, already exists as type float`,
		},
		{
			name:   "two types for a new field: the first wins",
			rows:   []row{{"v": "x"}, {"v": 1.0}, {"v": "y"}, {"v": true}},
			drop:   []int{1, 3},
			fresh:  []model.Field{{Name: "v", Type: model.String}},
			reason: `field type conflict: input field "v" on measurement "m" is type float, already exists as type string`,
		},
		{
			name:   "a refused row makes no field",
			agreed: types{"v": model.Float},
			rows:   []row{{"v": int64(1), "w": int64(1)}, {"w": 1.0}},
			drop:   []int{0},
			fresh:  []model.Field{{Name: "w", Type: model.Float}},
			reason: `field type conflict: input field "v" on measurement "m" is type integer, already exists as type float`,
		},
		{
			name:   "all rows",
			agreed: types{"v": model.Boolean},
			rows:   []row{{"v": int64(1)}, {"v": 1.0}},
			drop:   []int{0, 1},
			reason: `field type conflict: input field "v" on measurement "m" is type integer, already exists as type boolean`,
		},
		{
			name:  "none",
			rows:  []row{{"v": 1.0}, {"w": int64(2)}},
			fresh: []model.Field{{Name: "v", Type: model.Float}, {Name: "w", Type: model.Integer}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			table := cells(test.rows...)
			if test.agreed == nil {
				test.agreed = types{}
			}
			v := check(&table, test.agreed)
			var drop []int
			for i, d := range v.drop {
				if d {
					drop = append(drop, i)
				}
			}
			if !slices.Equal(drop, test.drop) || v.count != len(test.drop) {
				t.Errorf("dropped rows %v, count %d; want %v", drop, v.count, test.drop)
			}
			if !slices.Equal(v.fresh, test.fresh) {
				t.Errorf("new fields %v, want %v", v.fresh, test.fresh)
			}
			if v.reason != test.reason {
				t.Errorf("reason %q, want %q", v.reason, test.reason)
			}
			_, ok := consistent(&table, func(field string) (model.FieldType, bool) {
				typ, known := test.agreed[field]
				return typ, known
			})
			if ok != (len(test.drop) == 0) {
				t.Errorf("consistent is %v with %d rows to refuse", ok, len(test.drop))
			}
		})
	}
}
