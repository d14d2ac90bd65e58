package adminapi

import "time"

// Cardinality is how many series there are, and of what.
type Cardinality struct {
	Databases    []DatabaseCardinality    `json:"databases"`    // the most series first
	Measurements []MeasurementCardinality `json:"measurements"` // the same
	Tags         []TagCardinality         `json:"tags"`         // of these, the most values first
	Lacking      []string                 `json:"lacking,omitempty"`
}

// Growth is series that came in an hour, as of the time that is looked back to.
type Growth struct {
	PerHour float64       `json:"per_hour"`
	Over    time.Duration `json:"over"` // 0: it is not known yet
}

// DatabaseCardinality is how many series a database has.
type DatabaseCardinality struct {
	Database     string `json:"database"`
	Series       int64  `json:"series"` // about
	Measurements int    `json:"measurements"`
	Shards       int    `json:"shards"` // replicas that are open
	Bytes        int64  `json:"bytes"`  // of these
	Growth       Growth `json:"growth"`
}

// MeasurementCardinality is how many series a measurement has in the shard group
// in which it has the most.
type MeasurementCardinality struct {
	Database    string `json:"database"`
	Measurement string `json:"measurement"`
	Series      int64  `json:"series"`
	Growth      Growth `json:"growth"`
}

// TagCardinality is how many values a tag has in that shard group.
type TagCardinality struct {
	Database    string `json:"database"`
	Measurement string `json:"measurement"`
	Tag         string `json:"tag"`
	Values      int    `json:"values"`
}
