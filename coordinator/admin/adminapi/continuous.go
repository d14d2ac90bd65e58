package adminapi

import "time"

// Continuous is the continuous queries of the cluster.
type Continuous struct {
	Runner  string            `json:"runner,omitempty"` // the name of the node that runs them; "": none now
	Queries []ContinuousQuery `json:"queries"`
}

// ContinuousQuery is how one of them fares.
type ContinuousQuery struct {
	Database string        `json:"database"`
	Name     string        `json:"name"`
	Text     string        `json:"query"`
	Until    time.Time     `json:"until,omitzero"`    // all before this time has been computed
	LastRun  time.Time     `json:"last_run,omitzero"` // not set: it has not run yet
	Lag      time.Duration `json:"lag_ns"`            // for how long it has been due
	Points   uint64        `json:"points"`            // written since it was created
	Error    string        `json:"error,omitempty"`   // why its last run failed
}
