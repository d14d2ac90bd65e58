package meta

import (
	"cmp"
	"slices"
)

// ContinuousQuery is a query that the cluster runs by itself. It is immutable:
// to change one is to drop it and to create another, with a uid of its own.
type ContinuousQuery struct {
	UID      uint64
	Database uint64 // uid
	Name     string // of one query of the database
	// Text is the whole statement that made it, with database and policy in
	// every source and in the target.
	Text string
}

// continuousQuery is what a snapshot keeps, with the revision of its key.
type continuousQuery struct {
	ContinuousQuery
	modified int64
}

// ContinuousQueries gives the queries of a database, by its uid, in the order
// in which they were created.
func (s *Snapshot) ContinuousQueries(database uint64) []*ContinuousQuery {
	from, _ := slices.BinarySearchFunc(s.continuous, continuousID{database, 0}, compareContinuous)
	to, _ := slices.BinarySearchFunc(s.continuous, continuousID{database + 1, 0}, compareContinuous)
	out := make([]*ContinuousQuery, 0, to-from)
	for _, q := range s.continuous[from:to] {
		out = append(out, &q.ContinuousQuery)
	}
	return out
}

// continuousID is what queries are sorted by: the uid of the database, then the
// query's own.
type continuousID struct{ database, uid uint64 }

func compareContinuous(q *continuousQuery, id continuousID) int {
	return cmp.Or(cmp.Compare(q.Database, id.database), cmp.Compare(q.UID, id.uid))
}
