package exec

import (
	"fmt"
	"slices"

	"github.com/varvedb/varve/model"
)

// Merge adds what another list, an answer to the same request, has, and cuts as
// the request says. It takes time in proportion to both, and memory only for
// what l has not yet: the shards of a database mostly list the same. o is not
// used afterwards.
func (l *List) Merge(o *List, q *ListRequest) {
	l.Entries = mergeSorted(l.Entries, o.Entries, (*Entry).Compare, func(*Entry, *Entry) {})
	l.cut(q)
	l.Sets = mergeSorted(l.Sets, o.Sets, (*Set).CompareGroup, func(s, o *Set) {
		s.Members = mergeSorted(s.Members, o.Members, compareHashes, func(*model.SeriesHash, *model.SeriesHash) {})
	})
	switch {
	case l.Sketch == nil:
		l.Sketch = o.Sketch
	case o.Sketch != nil:
		l.Sketch.Merge(o.Sketch)
	}
}

func compareHashes(a, b *model.SeriesHash) int { return a.Compare(*b) }

// mergeSorted gives the union of two sorted slices that have each element once,
// in a if it has all of b or room for them. join is called with the elements
// that are equal.
func mergeSorted[T any](a, b []T, compare func(a, b *T) int, join func(a, b *T)) []T {
	if len(a) == 0 {
		return b
	}
	fresh := 0 // of b, not in a
	for i, j := 0, 0; j < len(b); {
		c := 1
		if i < len(a) {
			c = compare(&a[i], &b[j])
		}
		switch {
		case c < 0:
			i++
		case c == 0:
			join(&a[i], &b[j])
			i, j = i+1, j+1
		default:
			fresh, j = fresh+1, j+1
		}
	}
	if fresh == 0 {
		return a
	}
	// From the end on, so that nothing is overwritten that is needed.
	i, j := len(a)-1, len(b)-1
	a = slices.Grow(a, fresh)[:len(a)+fresh]
	for to := len(a) - 1; j >= 0; to-- {
		c := -1
		if i >= 0 {
			c = compare(&a[i], &b[j])
		}
		switch {
		case c < 0:
			a[to] = b[j]
			j--
		case c == 0:
			a[to] = a[i]
			i, j = i-1, j-1
		default:
			a[to] = a[i]
			i--
		}
	}
	return a
}

// cut leaves the entries that q's limit lets through.
func (l *List) cut(q *ListRequest) {
	switch {
	case q.Limit <= 0 || len(l.Entries) <= q.Limit:
	case !q.LimitEach:
		clear(l.Entries[q.Limit:]) // lets go of their texts
		l.Entries = l.Entries[:q.Limit]
	default:
		n := 0 // of the current measurement
		kept := l.Entries[:0]
		for i := range l.Entries {
			if i > 0 && l.Entries[i].Measurement != kept[len(kept)-1].Measurement {
				n = 0
			}
			if n++; n <= q.Limit {
				kept = append(kept, l.Entries[i])
			}
		}
		clear(l.Entries[len(kept):])
		l.Entries = kept
	}
}

// Append adds the next piece of a list that was cut: a Set may go on in it. A
// piece comes from another node: one that is not in order, on which Merge relies,
// is of kind model.ErrCorrupt.
func (l *List) Append(piece *List) error {
	var err error
	if l.Entries, err = appendSorted(l.Entries, piece.Entries, (*Entry).Compare); err != nil {
		return err
	}
	for i := range piece.Sets {
		s := &piece.Sets[i]
		if n := len(l.Sets); n == 0 || l.Sets[n-1].CompareGroup(s) != 0 {
			if l.Sets, err = appendSorted(l.Sets, []Set{{Measurement: s.Measurement, Tags: s.Tags}}, (*Set).CompareGroup); err != nil {
				return err
			}
		}
		last := &l.Sets[len(l.Sets)-1]
		if last.Members, err = appendSorted(last.Members, s.Members, compareHashes); err != nil {
			return err
		}
	}
	if piece.Sketch != nil {
		l.Sketch = piece.Sketch
	}
	return nil
}

// appendSorted adds b to a, and fails unless each element comes after the one
// before it.
func appendSorted[T any](a, b []T, compare func(a, b *T) int) ([]T, error) {
	var last *T
	if n := len(a); n > 0 {
		last = &a[n-1]
	}
	for i := range b {
		if last != nil && compare(last, &b[i]) >= 0 {
			return nil, fmt.Errorf("merge lists: elements out of order: %w", model.ErrCorrupt)
		}
		last = &b[i]
	}
	if len(a) == 0 {
		return b, nil
	}
	return append(a, b...), nil
}

// Bytes gives about how much memory l takes.
func (l *List) Bytes() int {
	n := 0
	for i := range l.Entries {
		e := &l.Entries[i]
		n += entryBytes + len(e.Measurement) + len(e.Key) + len(e.Value)
	}
	for i := range l.Sets {
		s := &l.Sets[i]
		n += setBytes + len(s.Measurement) + memberBytes*len(s.Members)
		for _, t := range s.Tags {
			n += 16 + len(t)
		}
	}
	return n
}

// Pieces cuts l so that a piece of many short entries, or of few long ones, is
// far below the bound of a record of the wire. Append joins them.
func (l *List) Pieces(each func(*List) error) error {
	const maxCount, maxBytes = 8192, 4 << 20
	piece := List{}
	count, bytes := 0, 0
	give := func() error {
		if count == 0 {
			return nil
		}
		err := each(&piece)
		piece, count, bytes = List{}, 0, 0
		return err
	}
	for i := range l.Entries {
		e := &l.Entries[i]
		piece.Entries = l.Entries[i-len(piece.Entries) : i+1]
		count, bytes = count+1, bytes+len(e.Measurement)+len(e.Key)+len(e.Value)
		if count >= maxCount || bytes >= maxBytes {
			if err := give(); err != nil {
				return err
			}
		}
	}
	for _, s := range l.Sets {
		for rest, first := s.Members, true; first || len(rest) > 0; first = false {
			n := min(len(rest), maxBytes/memberBytes)
			piece.Sets = append(piece.Sets, Set{Measurement: s.Measurement, Tags: s.Tags, Members: rest[:n]})
			rest = rest[n:]
			count, bytes = count+1, bytes+n*memberBytes+len(s.Measurement)
			if count >= maxCount || bytes >= maxBytes {
				if err := give(); err != nil {
					return err
				}
			}
		}
	}
	if l.Sketch != nil {
		piece.Sketch, count = l.Sketch, count+1
	}
	return give()
}
