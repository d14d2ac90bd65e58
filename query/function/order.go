package function

import (
	"math"

	"github.com/varvedb/varve/model"
)

// Order compares two values of a type by their bits: it is negative where x is
// less. What is no number is equal to all.
func Order(t model.FieldType, x, y uint64) int {
	switch t {
	case model.Float:
		return compare(math.Float64frombits(x), math.Float64frombits(y))
	case model.Integer:
		return compare(int64(x), int64(y))
	}
	return compare(x, y)
}

func compare[T float64 | int64 | uint64](x, y T) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}
