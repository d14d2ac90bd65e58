package meta

import (
	"time"

	"github.com/varvedb/varve/model"
)

// Database is a database and its retention policies. It is immutable.
type Database struct {
	UID  uint64
	Name string

	// DefaultPolicy is a name. It names no policy after the default one was
	// dropped: requests without a policy then fail, as in InfluxDB.
	DefaultPolicy string
	Policies      []*Policy // in the order in which they were created

	// Limits is what was set for this database alone.
	Limits model.SeriesLimits
	// Quota is what its clients may take of each node.
	Quota model.Quota
}

// Policy gives the policy of that name, the default one for "", or nil.
func (d *Database) Policy(name string) *Policy {
	if name == "" {
		name = d.DefaultPolicy
	}
	for _, p := range d.Policies {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Policy is a retention policy. It is immutable.
type Policy struct {
	UID           uint64
	Name          string
	Duration      time.Duration // how long data is kept; 0 is for ever
	ShardDuration time.Duration // the span of new shard groups
	Replicas      int           // AutoReplicas, or what a statement said; see Snapshot.Factor

	// Points that are further from the time of their write than these are not
	// stored; 0 is no limit.
	FutureLimit, PastLimit time.Duration

	Subscriptions []*Subscription // in the order in which they were created
}

// AutoReplicas as Policy.Replicas lets the replication factor follow the number
// of nodes.
const AutoReplicas = 0

// Oldest gives the lowest time that a point may have at now, in nanoseconds;
// ok is false when the policy keeps everything.
func (p *Policy) Oldest(now time.Time) (t int64, ok bool) {
	if p.Duration == 0 {
		return 0, false
	}
	return now.Add(-p.Duration).UnixNano(), true
}

// Window gives the times that a point written at now may have by the limits of
// the policy, whatever it keeps: model.AllTime when it has none.
func (p *Policy) Window(now time.Time) model.TimeRange {
	w := model.AllTime
	if p.PastLimit > 0 {
		w.Min = max(w.Min, clampTime(now.Add(-p.PastLimit)))
	}
	if p.FutureLimit > 0 {
		w.Max = min(w.Max, clampTime(now.Add(p.FutureLimit)))
	}
	return w
}
