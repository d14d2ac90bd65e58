package tsm

import "github.com/varvedb/varve/model"

// Granule is a run of rows of one series. It is valid until the Next of the
// Cursor that gave it.
type Granule struct {
	c      *Cursor
	series uint32
	rows   int
	times  model.TimeRange

	// source is where the rows are as long as they are not decoded: then they
	// are a whole granule of a file, which nothing overlaps and no delete touches.
	source  *fileCursor
	granule int

	loadedTimes   []int64 // where source is nil
	loadedColumns []model.Column
}

// Series gives the local id of the series.
func (g *Granule) Series() uint32 { return g.series }

// Len gives the number of rows. A row may lack a value of every field that was asked for.
func (g *Granule) Len() int { return g.rows }

// Range gives the times of the first and the last row.
func (g *Granule) Range() model.TimeRange { return g.times }

// Stats summarises a field, by its place in ScanOptions.Fields, over all rows,
// without decoding them. ok is false where that is not known exactly: then Load.
func (g *Granule) Stats(field int) (s model.Stats, ok bool) {
	if g.source == nil {
		return model.Stats{}, false
	}
	s, ok, err := g.source.Stats(g.granule, field)
	// An error is not lost: Load meets it again.
	return s, ok && err == nil
}

// Times decodes the times of the rows, ascending and distinct. They must not be
// changed.
func (g *Granule) Times() ([]int64, error) {
	if g.source == nil {
		return g.loadedTimes, nil
	}
	// Nothing is merged, so the versions of the rows need not be known.
	times, err := g.source.Times(g.granule)
	if err != nil {
		return nil, g.fail(err)
	}
	return times, nil
}

// Column decodes the values of a field, by its place in ScanOptions.Fields. It
// must not be changed.
func (g *Granule) Column(field int) (*model.Column, error) {
	if g.source == nil {
		return &g.loadedColumns[field], nil
	}
	column, err := g.source.Column(g.granule, field)
	if err != nil {
		return nil, g.fail(err)
	}
	return column, nil
}

// Load decodes the rows: their times, and a column per field in the order of
// ScanOptions.Fields.
func (g *Granule) Load() (times []int64, columns []model.Column, err error) {
	if g.source == nil {
		return g.loadedTimes, g.loadedColumns, nil
	}
	if times, err = g.Times(); err != nil {
		return nil, nil, err
	}
	c := g.c
	if c.columns, err = g.source.columns(c.columns[:0], g.granule, len(c.o.Fields)); err != nil {
		return nil, nil, g.fail(err)
	}
	return times, c.columns, nil
}

func (g *Granule) fail(err error) error {
	g.c.fail(g.source.file, err)
	return g.c.err
}
