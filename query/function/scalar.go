package function

import (
	"math"

	"github.com/varvedb/varve/model"
)

// Scalar is a function of one or two numbers, applied row by row.
type Scalar struct {
	Name string
	Args int
	// Keeps is set where integers stay integers and are not changed by Unary
	// but by UnaryInteger, if there is one.
	Keeps        bool
	Unary        func(x float64) float64
	UnaryInteger func(x int64) int64
	Binary       func(x, y float64) float64
}

var scalars = [...]Scalar{
	{Name: "abs", Args: 1, Keeps: true, Unary: math.Abs, UnaryInteger: func(x int64) int64 {
		sign := x >> 63
		return (x ^ sign) - sign
	}},
	{Name: "ceil", Args: 1, Keeps: true, Unary: math.Ceil},
	{Name: "floor", Args: 1, Keeps: true, Unary: math.Floor},
	{Name: "round", Args: 1, Keeps: true, Unary: math.Round},
	{Name: "acos", Args: 1, Unary: math.Acos},
	{Name: "asin", Args: 1, Unary: math.Asin},
	{Name: "atan", Args: 1, Unary: math.Atan},
	{Name: "cos", Args: 1, Unary: math.Cos},
	{Name: "sin", Args: 1, Unary: math.Sin},
	{Name: "tan", Args: 1, Unary: math.Tan},
	{Name: "exp", Args: 1, Unary: math.Exp},
	{Name: "ln", Args: 1, Unary: math.Log},
	{Name: "log2", Args: 1, Unary: math.Log2},
	{Name: "log10", Args: 1, Unary: math.Log10},
	{Name: "sqrt", Args: 1, Unary: math.Sqrt},
	{Name: "atan2", Args: 2, Binary: math.Atan2},
	{Name: "pow", Args: 2, Binary: math.Pow},
	{Name: "log", Args: 2, Binary: func(x, base float64) float64 { return math.Log(x) / math.Log(base) }},
}

// LookupScalar gives the scalar function of that name, or nil.
func LookupScalar(name string) *Scalar {
	for i := range scalars {
		if scalars[i].Name == name {
			return &scalars[i]
		}
	}
	return nil
}

// Result gives the type of s over a first argument of a type.
func (s *Scalar) Result(t model.FieldType) model.FieldType {
	if s.Keeps {
		return t
	}
	return model.Float
}
