package model

import "math"

// MinTime and MaxTime bound the timestamps that a point may have, in
// nanoseconds since 1970, inclusive. The outermost values of int64 are left
// free, as InfluxDB does.
const (
	MinTime = math.MinInt64 + 2
	MaxTime = math.MaxInt64 - 1
)

// TimeRange is the timestamps from Min to Max, both included, in nanoseconds
// since 1970. It is empty when Min > Max.
type TimeRange struct {
	Min, Max int64
}

// AllTime is every timestamp that a point may have.
var AllTime = TimeRange{Min: MinTime, Max: MaxTime}

// Empty reports whether r holds no timestamp.
func (r TimeRange) Empty() bool { return r.Min > r.Max }

// Contains reports whether t lies in r.
func (r TimeRange) Contains(t int64) bool { return r.Min <= t && t <= r.Max }

// Covers reports whether all of o lies in r.
func (r TimeRange) Covers(o TimeRange) bool { return r.Min <= o.Min && o.Max <= r.Max }

// Overlaps reports whether r and o share a timestamp.
func (r TimeRange) Overlaps(o TimeRange) bool {
	return r.Min <= o.Max && o.Min <= r.Max && !r.Empty() && !o.Empty()
}

// Intersect gives the timestamps that r and o share.
func (r TimeRange) Intersect(o TimeRange) TimeRange {
	return TimeRange{Min: max(r.Min, o.Min), Max: min(r.Max, o.Max)}
}

// Union gives the smallest range that covers r and o.
func (r TimeRange) Union(o TimeRange) TimeRange {
	switch {
	case r.Empty():
		return o
	case o.Empty():
		return r
	}
	return TimeRange{Min: min(r.Min, o.Min), Max: max(r.Max, o.Max)}
}
