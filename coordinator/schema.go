package coordinator

import (
	"fmt"
	"maps"

	"github.com/varvedb/varve/model"
)

// types is the agreed types of fields of one measurement in one shard group.
type types map[string]model.FieldType

// verdict is what the schema says to the rows of a table.
type verdict struct {
	fresh  []model.Field // fields of the rows kept that have no agreed type
	drop   []bool        // per row, whether it is refused; nil: none is
	count  int           // rows refused
	reason string        // of the first row refused
}

// consistent gives the fields of a table, and ok when none contradicts an
// agreed type or another column: then no row needs to be looked at.
func consistent(t *model.Table, agreed func(field string) (model.FieldType, bool)) (fields []model.Field, ok bool) {
	fields = make([]model.Field, len(t.Columns))
	fresh := 0
	for i := range t.Columns {
		f := t.Columns[i].Field
		fields[i] = f
		typ, known := agreed(f.Name)
		if known && typ != f.Type {
			return nil, false
		}
		if !known {
			fresh++
		}
	}
	if fresh < 2 {
		return fields, true // two columns of one name are in conflict with the agreed type, or both fresh
	}
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		if seen[f.Name] {
			return nil, false
		}
		seen[f.Name] = true
	}
	return fields, true
}

// check holds the rows of a table against the agreed types. A row with a field
// of another type is refused whole. Where a field has no agreed type and comes
// in two, the first in order of the rows kept wins.
func check(t *model.Table, agreed types) verdict {
	v := verdict{drop: make([]bool, len(t.Times))}
	known := maps.Clone(agreed)
	for row := range t.Times {
		if c := conflict(t, row, known); c != nil {
			v.drop[row] = true
			v.count++
			if v.reason == "" {
				v.reason = fmt.Sprintf("field type conflict: input field \"%s\" on measurement \"%s\" is type %s, already exists as type %s",
					c.Name, t.Measurement, c.Type, known[c.Name])
			}
			continue
		}
		for i := range t.Columns {
			c := &t.Columns[i]
			if _, ok := known[c.Name]; !ok && c.Has(row) {
				known[c.Name] = c.Type
				v.fresh = append(v.fresh, c.Field)
			}
		}
	}
	if v.count == 0 {
		v.drop = nil
	}
	return v
}

// conflict gives the first column with a value in a row and a type other than
// the known one, or nil.
func conflict(t *model.Table, row int, known types) *model.Column {
	for i := range t.Columns {
		c := &t.Columns[i]
		if !c.Has(row) {
			continue
		}
		if typ, ok := known[c.Name]; ok && typ != c.Type {
			return c
		}
	}
	return nil
}
