package tsm

import (
	"errors"
	"slices"
)

// writeIndex keeps the series that are in no index file yet: a segment file
// names series by ids that must mean the same after a restart. Those that no
// published batch has named must wait, for they may never get a row.
func (s *Shard) writeIndex(e *edit) error {
	s.mu.Lock()
	end := s.mu.publishedSeries
	first := uint32(0)
	if n := len(s.mu.indexes); n > 0 {
		first = s.mu.indexes[n-1].end
	}
	if first == end {
		s.mu.Unlock()
		return nil
	}
	if len(s.mu.indexes) >= maxIndexFiles {
		first = 0
		for _, x := range s.mu.indexes {
			e.dropIndexes = append(e.dropIndexes, x.id)
		}
	}
	id := s.mu.nextID
	s.mu.nextID++
	s.mu.Unlock()
	size, err := s.index.WriteFile(s.fs, s.path(indexName(id)), first, end)
	if err != nil {
		return errors.Join(err, removeIfAny(s.fs, s.path(indexName(id))))
	}
	e.addIndexes = append(e.addIndexes, indexFile{id: id, first: first, end: end, size: size})
	return nil
}

// maxIndexFiles is the number of index files that are merged into one.
const maxIndexFiles = 16

// applyIndexes changes the list of index files as e says and gives the ids
// that are no more.
func applyIndexes(list *[]indexFile, e *edit) (dropped []uint64) {
	*list = slices.DeleteFunc(slices.Clone(*list), func(x indexFile) bool { return slices.Contains(e.dropIndexes, x.id) })
	*list = append(*list, e.addIndexes...)
	return e.dropIndexes
}
