package meta

import "context"

// ForgetMeasurement removes the agreed types of a measurement in a group, whose
// data has been deleted there: what is written next decides anew. Where a
// writer knew the old types still, both kinds of values exist.
func (s *Store) ForgetMeasurement(ctx context.Context, groupID uint64, name string) error {
	return s.change(ctx, func(ctx context.Context, now *Snapshot) (bool, error) {
		m := now.measurement(groupID, name)
		if m == nil {
			return true, nil
		}
		key := s.keys.measurement(groupID, name)
		return s.commit(ctx, "forget measurement", []Condition{{Key: key, Revision: m.modified}}, []Op{Delete(key)})
	})
}
