package adminapi

// Limits is what bounds databases and users.
type Limits struct {
	Default   SeriesLimits     `json:"default"` // of the node that answers
	Databases []DatabaseLimits `json:"databases"`
	Users     []UserLimits     `json:"users,omitempty"` // those that have any
}

// SeriesLimits is limits in force; 0 is none.
type SeriesLimits struct {
	MaxSeries       int64 `json:"max_series"`
	MaxValuesPerTag int64 `json:"max_values_per_tag"`
}

// Quota is what may be taken of each node; 0 is no limit.
type Quota struct {
	WritePoints int64 `json:"write_points,omitempty"` // in a second
	Queries     int64 `json:"queries,omitempty"`      // at a time
	QueryBytes  int64 `json:"query_bytes,omitempty"`
}

// DatabaseLimits is those of one database.
type DatabaseLimits struct {
	Name string `json:"name"`
	SeriesLimits
	OwnSeries       bool `json:"own_series"` // not the default
	OwnValuesPerTag bool `json:"own_values_per_tag"`
	Quota
}

// UserLimits is those of one user.
type UserLimits struct {
	Name string `json:"name"`
	SeriesLimits
	Quota
}

// LimitRequest sets what is given: a limit, NoLimit, or 0 for the default, which
// only series of a database have.
type LimitRequest struct {
	MaxSeries       *int64 `json:"max_series,omitempty"`
	MaxValuesPerTag *int64 `json:"max_values_per_tag,omitempty"`
	WritePoints     *int64 `json:"write_points,omitempty"`
	Queries         *int64 `json:"queries,omitempty"`
	QueryBytes      *int64 `json:"query_bytes,omitempty"`
}

// NoLimit in a LimitRequest takes a limit away.
const NoLimit = -1
