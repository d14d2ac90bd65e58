package meta

import "time"

// How a node shows that it is alive: by a key bound to a lease.
const (
	aliveTTL   = 3 * time.Second
	aliveEvery = time.Second
)

// Expelled gives a channel that gets one error, which ends the node, when the
// cluster does not know this run of it any more: the node was removed, another
// directory took its place, or a later start of its directory is there.
func (s *Store) Expelled() <-chan error { return s.expelled }
