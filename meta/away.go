package meta

import "time"

// freshFor is how long a Snapshot that was complete counts as that. It is the
// time after which a node that is silent counts as gone, too: nobody is seen to
// come or go later than that.
const freshFor = aliveTTL

// Away reports whether the Snapshot may lack what happened more than 3 s ago,
// since etcd does not answer or the watch is broken. Nobody's absence is to be
// believed then.
func (s *Store) Away() bool {
	return time.Since(s.epoch)-time.Duration(s.fresh.Load()) >= freshFor
}
