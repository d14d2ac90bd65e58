package adminapi

// Limits is what bounds the series of databases.
type Limits struct {
	Default   SeriesLimits     `json:"default"` // of the node that answers
	Databases []DatabaseLimits `json:"databases"`
}

// SeriesLimits is limits in force; 0 is none.
type SeriesLimits struct {
	MaxSeries       int64 `json:"max_series"`
	MaxValuesPerTag int64 `json:"max_values_per_tag"`
}

// DatabaseLimits is those of one database.
type DatabaseLimits struct {
	Name string `json:"name"`
	SeriesLimits
	OwnSeries       bool `json:"own_series"` // not the default
	OwnValuesPerTag bool `json:"own_values_per_tag"`
}

// LimitRequest sets what is given: a limit, NoLimit, or 0 for the default.
type LimitRequest struct {
	MaxSeries       *int64 `json:"max_series,omitempty"`
	MaxValuesPerTag *int64 `json:"max_values_per_tag,omitempty"`
}

// NoLimit in a LimitRequest takes a limit away.
const NoLimit = -1
