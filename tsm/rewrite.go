package tsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/varvedb/varve/internal/invariant"
	"github.com/varvedb/varve/internal/mutant"
	"github.com/varvedb/varve/model"
	codec "github.com/varvedb/varve/tsm/block" // this package has blocks of its own
	"github.com/varvedb/varve/tsm/segment"
)

// fence is the most that clocks of nodes may differ: a batch stamped longer
// ago than that is refused.
const fence = 500 * time.Millisecond

// rewrite is the writing of one segment file from memtables or other files.
type rewrite struct {
	kind      work
	view      *Reader // its rows, and all deletes that are to be applied
	id        uint64
	level     uint8
	applied   uint64      // deletes with lower numbers are among the view's
	versioned bool        // a version per row is needed
	settled   *settlement // where versions may be given up all the same; nil: nowhere
	frontier  model.HLC   // what the file, when not versioned, was written on
	rows      int64       // of the sources
	low, high model.Version

	given      given
	together   together
	versions   []uint32 // scratch
	written    int64    // at the last step
	rowsCopied int64
}

// planLocked decides how to write a file with the rows of files and mems, and
// pins them. Published deletes are applied; only those are known to be durable.
//
// A file needs no versions when nothing can come that competes with its rows:
// they are all below the frontier, no other source has rows in its range, and
// no delete is under way. A file with versions gives up those for which the
// same is true. From then on the frontier binds: older batches are refused.
func (s *Shard) planLocked(kind work, files []*file, mems []*memtable) *rewrite {
	w := &rewrite{kind: kind, id: s.mu.nextID, applied: s.mu.nextDelete, frontier: s.frontierLocked()}
	s.mu.nextID++
	view := s.readerLocked()
	view.narrowLocked(files, mems)
	view.below = s.index.Len()
	w.view = view

	times := model.TimeRange{Min: model.MaxTime, Max: model.MinTime}
	add := func(r model.TimeRange, low, high model.Version, rows int64) {
		times = times.Union(r)
		if w.rows == 0 || low.Less(w.low) {
			w.low = low
		}
		if w.rows == 0 || w.high.Less(high) {
			w.high = high
		}
		w.rows += rows
	}
	for _, f := range files {
		add(f.meta.times, f.meta.low, f.meta.high, f.meta.rows)
		w.level = max(w.level, f.meta.level)
	}
	switch {
	case kind == coldWork:
		w.level = coldLevel
	case kind == mergeWork:
		w.level = min(w.level+1, coldLevel-1)
	}
	for _, m := range mems {
		for _, t := range m.tables {
			invariant.Check(t.published == t.rows, "flush of %q: %d of %d rows are durable", t.name, t.published, t.rows)
		}
		if m.rows > 0 {
			add(m.times, m.low, m.high, int64(m.rows))
		}
	}
	var others []model.TimeRange
	for _, f := range s.mu.files {
		if !slices.Contains(files, f) {
			others = append(others, f.meta.times)
		}
	}
	for _, m := range s.memtablesLocked() {
		if !slices.Contains(mems, m) {
			others = append(others, m.times)
		}
	}
	deleting := false
	for _, p := range s.mu.pending {
		if p.delete != nil {
			deleting = true
			w.applied = min(w.applied, p.delete.number)
		}
	}
	bound := w.frontier
	if mutant.Is(mutant.VersionsDroppedEarly) {
		bound = model.NewHLC(s.now())
	}
	w.versioned = deleting || w.high.HLC >= bound || slices.ContainsFunc(others, times.Overlaps)
	if kind == flushWork && !w.versioned && len(s.mu.files) == 0 && s.overLocked(s.now()) {
		w.level = coldLevel // all of a shard that is over: it would be rewritten at once
	}
	switch {
	case !w.versioned:
		s.mu.frontier = max(s.mu.frontier, w.frontier)
	case !deleting:
		below := s.floorLocked(settleAfter)
		s.mu.frontier = max(s.mu.frontier, below)
		w.settled = newSettlement(below, w.high, others)
	}
	return w
}

// frontierLocked gives the version below which nothing need be taken from now
// on, if this shard says so: nothing can arrive at any owner. Of a shard with
// one owner that is its own floor.
func (s *Shard) frontierLocked() model.HLC { return s.floorLocked(fence) }

// floorLocked gives the version of some time ago, but none that another owner
// may still bring, and none above the next one after those seen: all that a
// higher one would do is to refuse batches, for an hour when the clock was an
// hour ahead and has been set right.
func (s *Shard) floorLocked(ago time.Duration) model.HLC {
	floor := min(model.NewHLC(s.now().Add(-ago)), s.mu.newest+1)
	if s.cfg.Replication != nil {
		floor = min(floor, s.cfg.Replication.Frontier())
	}
	return floor
}

// run writes the file and opens it. It gives nil when there are no rows left.
// The file is durable; it is no part of the shard yet.
func (w *rewrite) run(ctx context.Context, s *Shard) (_ *file, err error) {
	name := s.path(segmentName(w.id))
	out, err := s.fs.Create(name + tmpSuffix)
	if err != nil {
		return nil, err
	}
	meta, count, err := w.write(ctx, segment.NewWriter(out, segment.Options{Versioned: w.versioned, Effort: w.effort()}))
	if err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil && count.out == 0 {
		return nil, s.fs.Remove(name + tmpSuffix)
	}
	if err == nil {
		err = s.fs.Rename(name+tmpSuffix, name)
	}
	if err == nil {
		err = s.fs.SyncDir(s.dir)
	}
	if err != nil {
		// What is left is removed at the next start at the latest.
		return nil, errors.Join(err, removeIfAny(s.fs, name+tmpSuffix), removeIfAny(s.fs, name))
	}
	f, err := openFile(s.fs, s.dir, fileMeta{
		id: w.id, level: w.level, size: meta.Size, rows: meta.Rows, times: meta.Range,
		low: meta.MinVersion, high: meta.MaxVersion, applied: w.applied, versioned: w.versioned,
	})
	if err != nil {
		return nil, errors.Join(err, removeIfAny(s.fs, name))
	}
	if err = f.err(); err == nil {
		err = w.verify(ctx, f)
	}
	if err != nil {
		return nil, errors.Join(err, f.drop())
	}
	return f, nil
}

// effort says how much time may go into making the file small: it is kept, or
// merged into another before long.
func (w *rewrite) effort() codec.Effort {
	if w.level == coldLevel {
		return codec.Cold
	}
	return codec.Hot
}

// write gives all rows to sw and checks that none got lost.
func (w *rewrite) write(ctx context.Context, sw *segment.Writer) (segment.Meta, counts, error) {
	var total counts
	for _, name := range w.view.storedMeasurements() {
		if err := w.writeMeasurement(ctx, sw, name, &total); err != nil {
			return segment.Meta{}, total, err
		}
	}
	if !w.versioned {
		sw.Cover(w.low, w.high)
	}
	meta, err := sw.Finish()
	if err != nil {
		return segment.Meta{}, total, err
	}
	if total.in != w.rows || total.in != total.out+total.hidden+total.merged || meta.Rows != total.out {
		return segment.Meta{}, total, fmt.Errorf(
			"%d rows expected, %d read, %d hidden by deletes, %d merged, %d given, %d written: %w",
			w.rows, total.in, total.hidden, total.merged, total.out, meta.Rows, model.ErrCorrupt)
	}
	return meta, total, nil
}

func (w *rewrite) writeMeasurement(ctx context.Context, sw *segment.Writer, name string, total *counts) error {
	fields, series, err := w.view.stored(name)
	if err != nil {
		return err
	}
	c := w.view.Scan(ScanOptions{Series: series, Fields: fields, Range: everything})
	w.given.audit.measurement(name, fields)
	c.all, c.settled = w.versioned, w.settled
	c.copying = w.kind == mergeWork || w.kind == applyWork
	c.recheck = true
	for {
		if err := w.step(ctx, sw.Size()); err != nil {
			return err
		}
		g, err := c.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if c.copying && g.source != nil {
			err = w.copy(sw, name, g)
		} else {
			err = w.append(sw, name, g)
		}
		if err != nil {
			return err
		}
	}
	if err := w.giveTogether(sw, name); err != nil {
		return err
	}
	w.together = together{} // the next measurement has other fields
	total.in += c.count.in
	total.hidden += c.count.hidden
	total.merged += c.count.merged
	total.out += c.count.out
	return nil
}

// append gives rows to sw, those of small granules together with others.
func (w *rewrite) append(sw *segment.Writer, name string, g *Granule) error {
	rows := segment.Rows{}
	var err error
	if rows.Times, rows.Columns, err = g.Load(); err != nil {
		return err
	}
	if w.versioned {
		w.versions = w.versions[:0]
		merged := g.c.out.merged
		for i, v := range merged {
			if i > 0 && v == merged[i-1] {
				w.versions = append(w.versions, w.versions[i-1])
			} else {
				w.versions = append(w.versions, w.given.version(sw, v))
			}
		}
		rows.Versions = w.versions
	}
	w.given.runs.add(false, len(rows.Times))
	// A series that has begun there goes on there, or its first rows would be cut off.
	small := len(rows.Times) < smallRows || w.together.has(g.series)
	if !small || w.together.full(g.series) {
		if err := w.giveTogether(sw, name); err != nil {
			return err
		}
	}
	if small {
		w.together.add(g.series, &rows)
		return nil
	}
	return w.give(sw, name, []uint32{g.series}, []int{len(rows.Times)}, &rows)
}

// giveTogether gives sw the rows that were put together.
func (w *rewrite) giveTogether(sw *segment.Writer, name string) error {
	t := &w.together
	if len(t.series) == 0 {
		return nil
	}
	if !w.versioned {
		t.rows.Versions = nil
	}
	defer t.reset()
	return w.give(sw, name, t.series, t.ends, &t.rows)
}

// give gives rows of some series to sw.
func (w *rewrite) give(sw *segment.Writer, name string, series []uint32, ends []int, rows *segment.Rows) error {
	w.given.audit.addSeries(series, ends, rows)
	if mutant.Is(mutant.ValueChangedInWriting) && len(rows.Columns) > 0 && rows.Columns[0].Bits != nil {
		rows.Columns = slices.Clone(rows.Columns)
		rows.Columns[0].Bits = slices.Clone(rows.Columns[0].Bits)
		rows.Columns[0].Bits[0]++
	}
	return sw.AppendSeries(name, series, ends, rows)
}

// stepBytes is how much is written between looks at what else there is to do: a
// few milliseconds' work.
const stepBytes = 256 << 10

// step is called all the time, with what is written so far: it ends the rewrite
// of a shard that is being closed, and keeps to the Worker's pace.
func (w *rewrite) step(ctx context.Context, written int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := w.view.s
	if s.closing.Load() {
		return errClosed
	}
	if s.cfg.Worker == nil || w.kind == flushWork || written-w.written < stepBytes {
		return nil
	}
	// What is read is about what is written.
	bytes := 2 * (written - w.written)
	w.written = written
	return s.cfg.Worker.yield(ctx, w.kind, bytes)
}

// storedMeasurements gives those that any source of r has, deleted ones among
// them, sorted.
func (r *Reader) storedMeasurements() []string {
	set := map[string]bool{}
	for _, f := range r.files {
		if f.r != nil {
			for _, name := range f.r.Measurements() {
				set[name] = true
			}
		}
	}
	for _, ref := range r.mems {
		for i, t := range ref.tables {
			if ref.rows[i] > 0 {
				set[t.name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// stored gives the fields and series of a measurement in any source of r,
// deleted ones among them, sorted.
func (r *Reader) stored(measurement string) ([]model.Field, []uint32, error) {
	fields := map[model.Field]bool{}
	var series []uint32
	for _, f := range r.files {
		if err := f.err(); err != nil {
			return nil, nil, err
		}
		for _, field := range f.r.Fields(measurement) {
			fields[field] = true
		}
		var err error
		if series, err = f.r.AppendSeries(series, measurement); err != nil {
			if f.quarantine(err) {
				r.s.reportDamage(f)
			}
			return nil, nil, f.err()
		}
	}
	for _, v := range r.slabViews(measurement) {
		for i := range v.columns {
			fields[v.columns[i].Field] = true
		}
		series = append(series, v.order().series...)
	}
	slices.Sort(series)
	return sortedFields(fields), slices.Compact(series), nil
}
