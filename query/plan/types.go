package plan

import (
	"fmt"
	"slices"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

// converts reports whether values of a stored type can be read as another.
func converts(from, to model.FieldType) bool {
	return from == to || isNumber(from) && isNumber(to)
}

// fieldType gives the type of a field, 0 for what is none.
func fieldType(t influxql.DataType) model.FieldType {
	switch t {
	case influxql.Float:
		return model.Float
	case influxql.Integer:
		return model.Integer
	case influxql.Unsigned:
		return model.Unsigned
	case influxql.String:
		return model.String
	case influxql.Boolean:
		return model.Boolean
	}
	return 0
}

// dataType is the inverse of fieldType.
func dataType(t model.FieldType) influxql.DataType {
	switch t {
	case model.Float:
		return influxql.Float
	case model.Integer:
		return influxql.Integer
	case model.Unsigned:
		return influxql.Unsigned
	case model.String:
		return influxql.String
	case model.Boolean:
		return influxql.Boolean
	}
	return influxql.Unknown
}

// typeMapper tells influxql the types of what a source names, of all its schemas
// together: one column of the result has one type, whatever measurement its rows
// come from.
type typeMapper struct {
	schemas []Schema
	of      map[*influxql.Measurement][]*Schema
}

func newTypeMapper(schemas []Schema) *typeMapper {
	return &typeMapper{schemas: schemas, of: make(map[*influxql.Measurement][]*Schema)}
}

// source gives the schemas of a source.
func (m *typeMapper) source(source *influxql.Measurement) []*Schema {
	list, ok := m.of[source]
	if !ok {
		one := []Measurement{measurement(source)}
		for i := range m.schemas {
			if mentions(one, m.schemas[i]) > 0 {
				list = append(list, &m.schemas[i])
			}
		}
		m.of[source] = list
	}
	return list
}

var _ influxql.FieldMapper = (*typeMapper)(nil)

func (m *typeMapper) FieldDimensions(source *influxql.Measurement) (map[string]influxql.DataType, map[string]struct{}, error) {
	fields := map[string]influxql.DataType{}
	tags := map[string]struct{}{}
	for _, s := range m.source(source) {
		for _, f := range s.Fields {
			if t := dataType(f.Type); fields[f.Name].LessThan(t) {
				fields[f.Name] = t
			}
		}
		for _, k := range s.TagKeys {
			tags[k] = struct{}{}
		}
	}
	return fields, tags, nil
}

func (m *typeMapper) MapType(source *influxql.Measurement, name string) influxql.DataType {
	t := influxql.Unknown
	if name == "_name" || name == "_tagKey" || name == "_tagValue" || name == "_seriesKey" {
		return influxql.String
	}
	for _, s := range m.source(source) {
		for _, f := range s.named(name) {
			if d := dataType(f.Type); t.LessThan(d) {
				t = d
			}
		}
	}
	if t != influxql.Unknown {
		return t
	}
	for _, s := range m.source(source) {
		if slices.Contains(s.TagKeys, name) {
			return influxql.Tag
		}
	}
	return t
}

func (m *typeMapper) CallType(name string, args []influxql.DataType) (influxql.DataType, error) {
	return callTypes{}.CallType(name, args)
}

// callTypes tells influxql the types of functions, to find operators between
// types that do not combine, and of calls of what is not stored.
type callTypes struct{}

func (callTypes) MapType(*influxql.Measurement, string) influxql.DataType { return influxql.Unknown }

func (callTypes) CallType(name string, args []influxql.DataType) (influxql.DataType, error) {
	if len(args) == 0 {
		return influxql.Unknown, fmt.Errorf("invalid number of arguments for %s, expected at least 1, got 0", name)
	}
	f, ok := function.Lookup(name)
	if !ok {
		return args[0], nil
	}
	// Where the type does not depend on the argument, it is also known of what is
	// not stored.
	if t := f.Result(0); t != 0 {
		return dataType(t), nil
	}
	return args[0], nil
}
