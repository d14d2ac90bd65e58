package tsm

import (
	"cmp"
	"slices"
	"time"
)

const (
	// maxCompactFiles bounds the files that one merge reads at a time.
	maxCompactFiles = 32
	// maxMergeBytes bounds what a merge of a shard that is written to makes anew:
	// files grow up to here and then wait for the shard's time to be over.
	maxMergeBytes = 1 << 30
)

// A shard that was rewritten whole and has got more rows since is rewritten
// again only when these make up a tenth of it or are in too many files: a trickle
// of late points must not move all of it each time.
const (
	maxColdFiles   = 8
	coldGrowthPart = 10
)

// coldAfter is how long a shard whose time is over must have been idle before
// it is rewritten whole.
const coldAfter = 10 * time.Second

// applyAfter is how long a file of a shard that is written to keeps rows that a
// delete hides: with a delete a minute the shard is not rewritten each minute.
const applyAfter = time.Hour

// usableLocked gives the files that may be read.
func (s *Shard) usableLocked() []*file {
	return slices.DeleteFunc(slices.Clone(s.mu.files), func(f *file) bool { return f.err() != nil })
}

// touchedLocked reports whether a delete hides rows of f, as far as is known
// without reading it.
func (s *Shard) touchedLocked(f *file) bool {
	return slices.ContainsFunc(s.mu.deletes.all, func(t *tombstone) bool { return t.coversFile(&f.meta) != coversNone })
}

// allLocked gives all files, or none when they are one that has nothing to lose.
func (s *Shard) allLocked() []*file {
	files := s.usableLocked()
	if len(files) == 1 && !s.worthRewritingLocked(files[0]) {
		return nil
	}
	return files
}

// worthRewritingLocked reports whether the only file that can be read would
// gain: it was not written to be kept, or would lose versions or rows.
func (s *Shard) worthRewritingLocked(f *file) bool {
	alone := len(s.mu.files) == 1 && len(s.memtablesLocked()) == 0
	return f.meta.level != coldLevel || alone && f.meta.versioned && f.meta.high.HLC < s.frontierLocked() || s.touchedLocked(f)
}

// coldBytesLocked gives the bytes of the files that should become one, of a
// shard whose time is over; 0 when they should stay as they are.
func (s *Shard) coldBytesLocked() int64 {
	files := s.usableLocked()
	var total, largest int64
	deleted := false
	for _, f := range files {
		total += f.meta.size
		largest = max(largest, f.meta.size)
		deleted = deleted || s.touchedLocked(f)
	}
	switch {
	case len(files) < 2:
		if len(files) == 0 || !s.worthRewritingLocked(files[0]) {
			return 0
		}
	case !deleted && len(files) <= maxColdFiles && (total-largest)*coldGrowthPart < total:
		return 0
	}
	return total
}

// tierLocked gives files to be merged: the earliest of the lowest level that has
// enough of them within the bounds of a merge.
func (s *Shard) tierLocked() []*file {
	var levels [coldLevel][]*file
	for _, f := range s.usableLocked() {
		if f.meta.level == coldLevel {
			continue
		}
		levels[f.meta.level] = append(levels[f.meta.level], f)
	}
	for _, files := range levels {
		if len(files) < s.cfg.CompactFiles {
			continue
		}
		slices.SortFunc(files, func(a, b *file) int { return cmp.Compare(a.meta.times.Min, b.meta.times.Min) })
		if files = withinMerge(files); len(files) >= s.cfg.CompactFiles {
			return files
		}
	}
	return nil
}

// withinMerge gives the longest stretch of neighbours that fits into a merge.
func withinMerge(files []*file) (best []*file) {
	from, size := 0, int64(0)
	for to, f := range files {
		for size += f.meta.size; size > maxMergeBytes || to-from >= maxCompactFiles; from++ {
			size -= files[from].meta.size
		}
		if to+1-from > len(best) {
			best = files[from : to+1]
		}
	}
	return best
}

// hiddenLocked gives a file of which deletes hide something for so long that it
// should be written again without it.
func (s *Shard) hiddenLocked() []*file {
	if len(s.mu.deletes.all) == 0 {
		return nil
	}
	now := s.now()
	for _, f := range s.usableLocked() {
		if f.meta.size <= maxMergeBytes && now.Sub(f.since) >= applyAfter && s.touchedLocked(f) {
			return []*file{f}
		}
	}
	return nil
}

// debtLocked gives the bytes of the files that work which is due by now, or as
// soon as its turn comes, will read.
func (s *Shard) debtLocked() (n int64) {
	for _, f := range s.tierLocked() {
		n += f.meta.size
	}
	if s.cfg.End != 0 && s.now().UnixNano() >= s.cfg.End {
		n = max(n, s.coldBytesLocked())
	}
	return n
}
