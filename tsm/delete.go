package tsm

import (
	"math"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/model"
)

// everything is all rows of a source, whatever their time.
var everything = model.TimeRange{Min: math.MinInt64, Max: math.MaxInt64}

// match is the series that a delete covers, of those with lower ids.
type match struct {
	series *roaring.Bitmap
	below  uint32
}

// match evaluates the condition of a delete before the shard's lock is taken:
// it may have to look at every value of a tag.
func (s *Shard) match(b *model.Batch) (m match, err error) {
	if b.Delete == nil {
		return match{}, nil
	}
	m.below = s.index.Len()
	m.series, err = s.index.Match(b.Delete.Where)
	return m, err
}

// newTombstoneLocked makes one of a batch.
func (s *Shard) newTombstoneLocked(b *model.Batch, m match) *tombstone {
	t := &tombstone{
		number: s.mu.nextDelete, batch: b.ID, version: b.Version,
		where: b.Delete.Where, times: b.Delete.Range, series: m.series,
	}
	s.mu.nextDelete++
	return t
}

// extendLocked adds the series that came after m was made, one by one.
func (s *Shard) extendLocked(m *match, b *model.Batch) error {
	if b.Delete == nil {
		return nil
	}
	for ; m.below < s.index.Len(); m.below++ {
		name, tags, err := s.index.Series(m.below)
		if err != nil {
			return err
		}
		if b.Delete.Where.Holds(name, tags) {
			m.series.Add(m.below)
		}
	}
	return nil
}

// coverNewLocked lets deletes cover series that came after them: a row of such
// a series may have been stamped before the delete.
func (s *Shard) coverNewLocked(added []uint32) {
	if len(added) == 0 || len(s.mu.deletes.all) == 0 && len(s.mu.pending) == 0 {
		return
	}
	cover := func(t *tombstone) *tombstone {
		var covered []uint32
		for _, id := range added {
			name, tags, _ := s.index.Series(id) // in memory: no file has what is not published
			if t.where.Holds(name, tags) {
				covered = append(covered, id)
			}
		}
		if len(covered) == 0 {
			return t
		}
		more := *t // readers may hold the old one
		more.series = t.series.Clone()
		more.series.AddMany(covered)
		return &more
	}
	for _, p := range s.mu.pending {
		if p.delete != nil {
			p.delete = cover(p.delete)
		}
	}
	all := slices.Clone(s.mu.deletes.all)
	for i, t := range all {
		all[i] = cover(t)
	}
	if !slices.Equal(all, s.mu.deletes.all) {
		s.mu.deletes = newDeletes(all)
	}
}

// aliveLocked gives those of the series of a batch of which it has a row that
// no delete hides, and those of which deletes hide all: it was stamped before
// them and came after. ids are those of b.Series.
func (s *Shard) aliveLocked(b *model.Batch, ids []uint32) (alive, hidden []uint32) {
	newer := func(t *tombstone) bool { return b.Version.Less(t.version) }
	var pending []*tombstone
	for _, p := range s.mu.pending {
		if p.delete != nil && newer(p.delete) {
			pending = append(pending, p.delete)
		}
	}
	used := usedSeries(b)
	if len(pending) > 0 || slices.ContainsFunc(s.mu.deletes.all, newer) {
		under := &deletes{all: pending}
		seen := make([]bool, len(used))
		for i := range b.Tables {
			t := &b.Tables[i]
			for row, at := range t.Series {
				seen[at] = seen[at] ||
					!s.mu.deletes.hides(ids[at], t.Times[row], b.Version) && !under.hides(ids[at], t.Times[row], b.Version)
			}
		}
		for i := range used {
			if used[i] && !seen[i] {
				used[i] = false
				hidden = append(hidden, ids[i])
			}
		}
	}
	alive = make([]uint32, 0, len(used))
	for i, u := range used {
		if u {
			alive = append(alive, ids[i])
		}
	}
	return alive, hidden
}
