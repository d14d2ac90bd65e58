package tsm

import (
	"errors"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/segment"
)

const (
	// smallRows is how few rows a granule may have to be put together with a
	// neighbour. Decoding and encoding takes ten times what copying does, and in
	// a shard that is written to a granule of some hundred rows is good enough.
	smallRows = 128
	// joinRows is how many rows two granules may have together to become one:
	// about what a segment.Writer gives a granule when it sees all rows.
	joinRows = 512
)

// cutByFlush reports whether the next block and a neighbour, which overlaps
// neither, look as if they were one granule had a flush not come between: they
// are of two files, and one is small. Of steady writes these are the granules at
// the ends of each file; those between were cut with all their rows in sight.
func (c *Cursor) cutByFlush() bool {
	b := &c.blocks[0]
	return joins(&c.before, b) || len(c.blocks) > 1 && joins(b, &c.blocks[1])
}

func joins(a, b *block) bool {
	return a.count > 0 && a.file != b.file && min(a.count, b.count) < smallRows && a.count+b.count <= joinRows
}

// copy gives a granule to sw as it is.
func (w *rewrite) copy(sw *segment.Writer, name string, g *Granule) error {
	if err := w.giveTogether(sw, name); err != nil {
		return err
	}
	var versions []uint32
	if w.versioned {
		var err error
		if versions, err = w.versionsOf(sw, g); err != nil {
			return err
		}
	}
	if err := sw.Copy(name, g.series, &g.source.Cursor, g.granule, versions); err != nil {
		return w.sourceFailed(g, err)
	}
	w.rowsCopied += int64(g.rows)
	w.given.audit.at(g.series)
	w.given.runs.add(true, g.rows)
	from, fields := g.source, g.c.o.Fields
	err := w.given.audit.copied(g.rows, g.times, versions, func(i int) (model.Stats, bool, *model.Column, error) {
		s, pinned, err := pinnedStats(&from.Cursor, g.granule, i, fields[i].Type)
		if pinned || err != nil {
			return s, true, nil, err
		}
		c, err := from.Column(g.granule, i)
		return s, false, c, err
	})
	if err != nil {
		return w.sourceFailed(g, err)
	}
	return nil
}

// versionsOf gives the versions that the rows of a granule keep, as sw counts
// them. What they take to find out is per row, not per value.
func (w *rewrite) versionsOf(sw *segment.Writer, g *Granule) ([]uint32, error) {
	f := g.source.file
	uniform := w.settled.uniform(g.times)
	w.versions = w.versions[:0]
	if uniform && !f.meta.versioned {
		n := w.given.version(sw, w.settled.version(g.times.Min, f.meta.high))
		for range g.rows {
			w.versions = append(w.versions, n)
		}
		return w.versions, nil
	}
	var times []int64
	var numbers []uint32
	var err error
	if !uniform {
		times, err = g.source.Times(g.granule)
	}
	if err == nil && f.meta.versioned {
		numbers, err = g.source.Versions(g.granule)
	}
	if err != nil {
		return nil, w.sourceFailed(g, err)
	}
	var last model.Version
	t, v := g.times.Min, f.meta.high
	for i := range g.rows {
		if times != nil {
			t = times[i]
		}
		if numbers != nil {
			v = f.r.Versions()[numbers[i]]
		}
		if kept := w.settled.version(t, v); i == 0 || kept != last {
			w.versions = append(w.versions, w.given.version(sw, kept))
			last = kept
		} else {
			w.versions = append(w.versions, w.versions[i-1])
		}
	}
	return w.versions, nil
}

// sourceFailed quarantines the file of a granule when it is what failed, not the
// file that is written.
func (w *rewrite) sourceFailed(g *Granule, err error) error {
	if !errors.Is(err, model.ErrCorrupt) {
		return err
	}
	g.c.fail(g.source.file, err)
	return g.c.err
}
