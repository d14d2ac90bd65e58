package opentsdb

import (
	"time"

	"github.com/varvedb/varve/model"
)

// inNanoseconds gives n units since 1970 in nanoseconds. What cannot be said so is
// a time that no point may have.
func inNanoseconds(n int64, unit time.Duration) int64 {
	if t := n * int64(unit); t/int64(unit) == n {
		return t
	}
	if n < 0 {
		return model.MinTime - 1
	}
	return model.MaxTime + 1
}
