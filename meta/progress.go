package meta

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Progress is how far a continuous query has come. It outlives the node that
// ran the query, and goes with the query.
type Progress struct {
	Query   uint64    // uid
	Until   int64     // all that lies before this time has been computed, in nanoseconds since 1970
	Ran     time.Time // when it ran last
	Points  uint64    // written since it was created
	Failure string    // why its last run failed; "" when it did not
}

// maxFailureBytes bounds Progress.Failure: it is cut.
const maxFailureBytes = 1 << 10

// progressPerChange is how many Progress go into one transaction, with a
// condition each and room for that of a fence.
const progressPerChange = MaxOps - 2

// Progress reads how far the continuous queries have come, linearizably, by the
// uid of the query. It is not part of the Snapshot, which would be a new one
// after every run of a query.
func (s *Store) Progress(ctx context.Context) (map[uint64]Progress, error) {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	items, _, err := s.kv.Range(ctx, s.keys.allProgress())
	if err != nil {
		return nil, s.unavailable(ctx, "read progress", err)
	}
	all := make(map[uint64]Progress, len(items))
	for _, item := range items {
		r, err := decode(item.Value, func(r *progressRecord) int { return r.Format })
		if err != nil {
			s.metrics.badValues.Inc()
			s.log.Error("the progress of a continuous query makes no sense, leaving it out", "key", item.Key, "error", err)
			continue
		}
		p := Progress{Query: r.Query, Ran: r.Ran, Points: r.Points, Failure: r.Failure}
		p.Until, _ = nanoseconds(r.Until)
		all[p.Query] = p
	}
	return all, nil
}

// SetProgress keeps how far continuous queries have come, unless the fence is
// broken (ErrDeposed). Queries that were dropped are left out.
func (s *Store) SetProgress(ctx context.Context, fence Fence, all ...Progress) error {
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	for some := range slices.Chunk(all, progressPerChange) {
		err := s.retry(ctx, func() (bool, error) {
			when, ops := s.progressOps(s.Snapshot(), some)
			if len(ops) == 0 {
				return true, nil
			}
			return s.fenced(ctx, "keep progress", fence, when, ops)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// progressOps gives the change that keeps the progress of those queries that
// now has, on the condition that they are still there.
func (s *Store) progressOps(now *Snapshot, all []Progress) (when []Condition, ops []Op) {
	for _, p := range all {
		i := slices.IndexFunc(now.continuous, func(q *continuousQuery) bool { return q.UID == p.Query })
		if i < 0 {
			continue
		}
		q := now.continuous[i]
		r := progressRecord{
			Format: recordFormat, Query: p.Query, Until: time.Unix(0, p.Until).UTC(), Ran: p.Ran.UTC(), Points: p.Points,
			Failure: strings.ToValidUTF8(p.Failure[:min(len(p.Failure), maxFailureBytes)], ""),
		}
		when = append(when, Condition{Key: s.keys.continuousQuery(q.Database, q.UID), Revision: q.modified})
		ops = append(ops, Put(s.keys.progress(q.Database, q.UID), encode(r)))
	}
	return when, ops
}
