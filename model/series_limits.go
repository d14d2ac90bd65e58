package model

// SeriesLimits bounds the series of a database; 0 is no bound. As the setting of
// one database 0 is the server's default, and less than 0 no bound.
type SeriesLimits struct {
	// Series is the most series that a database may have in one shard group: what
	// was not written to since does not count for the next one.
	Series int64
	// ValuesPerTag is the most values that one tag key of one measurement may
	// have in one shard.
	ValuesPerTag int64
}

// Or gives l, the setting of one database, with what it leaves open from
// defaults.
func (l SeriesLimits) Or(defaults SeriesLimits) SeriesLimits {
	pick := func(own, other int64) int64 {
		if own == 0 {
			own = other
		}
		return max(own, 0)
	}
	return SeriesLimits{Series: pick(l.Series, defaults.Series), ValuesPerTag: pick(l.ValuesPerTag, defaults.ValuesPerTag)}
}

// And gives the bounds that hold where both l and m do.
func (l SeriesLimits) And(m SeriesLimits) SeriesLimits {
	lower := func(a, b int64) int64 {
		if a <= 0 || b > 0 && b < a {
			return max(b, 0)
		}
		return a
	}
	return SeriesLimits{Series: lower(l.Series, m.Series), ValuesPerTag: lower(l.ValuesPerTag, m.ValuesPerTag)}
}
