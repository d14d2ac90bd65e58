package lineprotocol

import (
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

// Precision is the unit of the timestamps of a body.
type Precision time.Duration

// The precisions of line protocol. The zero Precision counts as Nanosecond.
const (
	Nanosecond  = Precision(time.Nanosecond)
	Microsecond = Precision(time.Microsecond)
	Millisecond = Precision(time.Millisecond)
	Second      = Precision(time.Second)
	Minute      = Precision(time.Minute)
	Hour        = Precision(time.Hour)
)

// ParsePrecision reads the precision parameter of /write. The error is of kind
// ErrInvalid and has InfluxDB's text.
func ParsePrecision(s string) (Precision, error) {
	switch s {
	case "", "n", "ns":
		return Nanosecond, nil
	case "u":
		return Microsecond, nil
	case "ms":
		return Millisecond, nil
	case "s":
		return Second, nil
	case "m":
		return Minute, nil
	case "h":
		return Hour, nil
	}
	return 0, &model.Error{
		Kind: model.ErrInvalid,
		Text: fmt.Sprintf("invalid precision %q (use n, u, ms, s, m or h)", s),
	}
}

// ParsePrecisionV2 reads the precision parameter of /api/v2/write. The error is
// of kind ErrInvalid and has InfluxDB's text.
func ParsePrecisionV2(s string) (Precision, error) {
	switch s {
	case "", "ns":
		return Nanosecond, nil
	case "us":
		return Microsecond, nil
	case "ms":
		return Millisecond, nil
	case "s":
		return Second, nil
	}
	return 0, &model.Error{
		Kind: model.ErrInvalid,
		Text: fmt.Sprintf("invalid precision %q (use ns, us, ms or s)", s),
	}
}

// nanoseconds converts a timestamp; ok is false when a point cannot have it.
func (p Precision) nanoseconds(v int64) (ns int64, ok bool) {
	if p > 1 {
		ns = v * int64(p)
		if ns/int64(p) != v {
			return 0, false
		}
		v = ns
	}
	return v, v >= model.MinTime && v <= model.MaxTime
}
