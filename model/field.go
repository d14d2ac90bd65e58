package model

import "fmt"

// FieldType is the type of a field's values. The numbers are part of file
// formats and of messages between nodes and never change.
type FieldType uint8

// The five types of InfluxDB. The zero FieldType is no type.
const (
	Float    FieldType = 1
	Integer  FieldType = 2
	Unsigned FieldType = 3
	String   FieldType = 4
	Boolean  FieldType = 5
)

// Valid reports whether t is one of the five types.
func (t FieldType) Valid() bool { return t >= Float && t <= Boolean }

// String gives the name that InfluxQL shows: "float", "integer", "unsigned",
// "string" or "boolean".
func (t FieldType) String() string {
	switch t {
	case Float:
		return "float"
	case Integer:
		return "integer"
	case Unsigned:
		return "unsigned"
	case String:
		return "string"
	case Boolean:
		return "boolean"
	}
	return fmt.Sprintf("FieldType(%d)", uint8(t))
}

// Field names a column of a measurement. A measurement may have two fields of
// one name and different types where a drop raced with a write.
type Field struct {
	Name string
	Type FieldType
}
