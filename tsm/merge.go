package tsm

import (
	"cmp"
	"math"
	"slices"

	"github.com/varvedb/varve/internal/mutant"
	"github.com/varvedb/varve/model"
)

// run is decoded rows of one series from one source, in ascending time, rows of
// one time in ascending version.
type run struct {
	times    []int64
	columns  []model.Column
	versions []uint32 // per row, an index into table; nil: every row is of version
	table    []model.Version
	version  model.Version
	repeats  bool         // some rows may have the same time
	hidden   model.Bitmap // rows that a delete covers; nil: none
	lo, hi   int          // the rows that are left
	file     *fileCursor  // whose memory times, versions and columns are; nil: the run's own

	own struct { // memory to be used again; columns of files are never in it
		times    []int64
		versions []uint32
		columns  []model.Column
	}
	borrowed []model.Column  // memory for columns that are of a file
	merged   []model.Version // of a Cursor's output: per row, when it is kept
	rank     int             // of two rows with one version that of the higher rank arrived later
}

// newRun gives an empty run. It takes back the memory of runs that are done,
// which is safe since the granules made of them are no longer valid.
func (c *Cursor) newRun() *run {
	if n := len(c.spare); n > 0 {
		r := c.spare[n-1]
		c.spare = c.spare[:n-1]
		r.reset()
		return r
	}
	return &run{}
}

func (r *run) reset() {
	if r.file == nil {
		r.own.times, r.own.versions, r.own.columns = r.times, r.versions, r.columns
	}
	own := r.own
	*r = run{
		times: own.times[:0], versions: own.versions[:0], columns: own.columns[:0],
		borrowed: r.borrowed[:0], merged: r.merged[:0],
	}
	r.own = own
}

// column adds an empty column, using the memory of an earlier one.
func (r *run) column(f model.Field) *model.Column {
	if n := len(r.columns); n < cap(r.columns) {
		r.columns = r.columns[:n+1]
	} else {
		r.columns = append(r.columns, model.Column{})
	}
	c := &r.columns[len(r.columns)-1]
	c.Field = f
	c.Reset()
	return c
}

// detach copies what r has of its file's memory.
func (r *run) detach() {
	if r.file == nil {
		return
	}
	r.times = slices.Clone(r.times)
	r.versions = slices.Clone(r.versions)
	columns := make([]model.Column, len(r.columns))
	for i := range r.columns {
		columns[i].Field = r.columns[i].Field
		appendRange(&columns[i], &r.columns[i], 0, r.columns[i].Len())
	}
	r.columns = columns
	r.file = nil
}

func (r *run) versionOf(i int) model.Version {
	if r.table == nil {
		return r.version
	}
	return r.table[r.versions[i]]
}

func (r *run) isHidden(i int) bool { return r.hidden != nil && r.hidden.Get(i) }

// merge gives what the active runs have before the next block begins (after it
// ends, when descending), and reports whether that was anything.
func (c *Cursor) merge() bool {
	window := model.TimeRange{Min: math.MinInt64, Max: math.MaxInt64}
	if len(c.blocks) > 0 {
		if next := c.blocks[0].times; c.o.Descending {
			window.Min = next.Max + 1
		} else {
			window.Max = next.Min - 1
		}
	}
	parts := make([]part, 0, 8)
	for _, r := range c.active {
		p := part{run: r, at: r.lo, end: r.hi}
		if c.o.Descending {
			n, _ := slices.BinarySearch(r.times[r.lo:r.hi], window.Min)
			p.at = r.lo + n
			r.hi = p.at
		} else {
			p.end = r.lo + after(r.times[r.lo:r.hi], window.Max)
			r.lo = p.end
		}
		if p.at < p.end {
			parts = append(parts, p)
		}
	}
	c.granule = Granule{c: c, series: c.series}
	if len(parts) == 1 && c.share(parts[0]) {
		// The run's memory is the granule's; it is taken back by a later Next.
	} else {
		c.mergeParts(parts)
	}
	c.active = slices.DeleteFunc(c.active, func(r *run) bool {
		done := r.lo == r.hi
		if done {
			c.spare = append(c.spare, r)
		}
		return done
	})
	n := len(c.granule.loadedTimes)
	if n == 0 {
		return false
	}
	c.granule.rows = n
	c.granule.times = model.TimeRange{Min: c.granule.loadedTimes[0], Max: c.granule.loadedTimes[n-1]}
	c.count.out += int64(n)
	return true
}

// part is rows at to before end of a run.
type part struct {
	run     *run
	at, end int
}

// share gives a whole run as it is, if every row of it counts.
func (c *Cursor) share(p part) bool {
	r := p.run
	if p.at != 0 || p.end != len(r.times) || r.hidden != nil || r.repeats {
		return false
	}
	if c.all {
		c.out.merged = c.out.merged[:0]
		for i := range r.times {
			c.out.merged = append(c.out.merged, c.settled.version(r.times[i], r.versionOf(i)))
		}
	}
	c.granule.loadedTimes, c.granule.loadedColumns = r.times, r.columns
	return true
}

// mergeParts merges into c.out.
func (c *Cursor) mergeParts(parts []part) {
	out := &c.out
	out.reset()
	for _, f := range c.o.Fields {
		out.column(f)
	}
	var same []place
	for {
		first, other := c.earliest(parts)
		if first == nil {
			break
		}
		if n := first.stretch(other); n > 0 {
			c.emit(first.run, first.at, first.at+n)
			first.at += n
			continue
		}
		same = same[:0]
		t := first.run.times[first.at]
		for i := range parts {
			p := &parts[i]
			for ; p.at < p.end && p.run.times[p.at] == t; p.at++ {
				if !p.run.isHidden(p.at) {
					same = append(same, place{p.run, p.at})
				}
			}
		}
		c.emitSame(same)
	}
	c.granule.loadedTimes, c.granule.loadedColumns = out.times, out.columns
}

// place is a row of a run.
type place struct {
	run *run
	row int
}

func (p place) version() model.Version { return p.run.versionOf(p.row) }

func (p place) time() int64 { return p.run.times[p.row] }

// earliest gives the part with the lowest time, and the lowest time of the others.
func (c *Cursor) earliest(parts []part) (first *part, other int64) {
	other = math.MaxInt64
	for i := range parts {
		p := &parts[i]
		if p.at == p.end {
			continue
		}
		switch t := p.run.times[p.at]; {
		case first == nil:
			first = p
		case t < first.run.times[first.at]:
			other = first.run.times[first.at]
			first = p
		case t < other:
			other = t
		}
	}
	return first, other
}

// stretch gives the number of rows of p that come before limit, none hidden
// and none with the time of the next.
func (p *part) stretch(limit int64) int {
	r := p.run
	i := p.at
	for i < p.end && r.times[i] < limit && !r.isHidden(i) {
		if r.repeats && i+1 < p.end && r.times[i+1] == r.times[i] {
			break
		}
		i++
	}
	return i - p.at
}

// emit adds rows lo to before hi of r to the output.
func (c *Cursor) emit(r *run, lo, hi int) {
	c.out.times = append(c.out.times, r.times[lo:hi]...)
	for i := range c.out.columns {
		appendRange(&c.out.columns[i], &r.columns[i], lo, hi)
	}
	if c.all {
		for i := lo; i < hi; i++ {
			c.out.merged = append(c.out.merged, c.settled.version(r.times[i], r.versionOf(i)))
		}
	}
}

// emitSame adds rows that have one time to the output: as one row, each cell
// from the highest version that has a value for it. For rewriting with versions
// only rows that keep the same version become one.
func (c *Cursor) emitSame(same []place) {
	slices.SortStableFunc(same, func(a, b place) int {
		byRank := cmp.Compare(a.run.rank, b.run.rank)
		if mutant.Is(mutant.ArrivalOrder) {
			return byRank
		}
		return cmp.Or(a.version().Compare(b.version()), byRank)
	})
	for len(same) > 0 {
		n := len(same)
		if c.all {
			kept := c.settled.version(same[0].time(), same[0].version())
			for n = 1; n < len(same) && c.settled.version(same[n].time(), same[n].version()) == kept; {
				n++
			}
			c.out.merged = append(c.out.merged, kept)
		}
		c.emitRow(same[:n])
		same = same[n:]
	}
}

// emitRow adds one row, later places before earlier ones.
func (c *Cursor) emitRow(same []place) {
	c.count.merged += int64(len(same) - 1)
	c.out.times = append(c.out.times, same[0].run.times[same[0].row])
	for i := range c.out.columns {
		from := len(same) - 1
		for from > 0 && !same[from].run.columns[i].Has(same[from].row) {
			from--
		}
		c.out.columns[i].AppendRow(&same[from].run.columns[i], same[from].row)
	}
}
