package continuous

import (
	"time"

	"github.com/varvedb/varve/model"
)

// run is one run of a job.
type run struct {
	job      *job
	over     model.TimeRange
	mark     int64 // of the query after the run
	narrow   bool  // it covers no more than it must
	started  time.Time
	took     time.Duration
	points   int64
	err      error
	canceled bool // because the query was dropped or the lease lost
}
