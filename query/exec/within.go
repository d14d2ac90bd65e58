package exec

import (
	"context"
	"errors"
	"io"

	"github.com/varvedb/varve/model"
)

// seriesWithin gives those of some series of a measurement that have a point in
// a range of time, in order; all when within is nil. once is satisfied with one.
func seriesWithin(ctx context.Context, src Source, m string, series []uint32, within *model.TimeRange, once bool) (have []uint32, err error) {
	if within == nil {
		return series, nil
	}
	err = eachWithin(ctx, src, series, src.Fields(m), *within, func(id uint32, holds func(field int) (bool, error), fields int) (more bool, err error) {
		if n := len(have); n > 0 && have[n-1] == id {
			return true, nil
		}
		for f := range fields {
			ok, err := holds(f)
			if err != nil {
				return false, err
			}
			if ok {
				have = append(have, id)
				return !once, nil
			}
		}
		return true, nil
	})
	return have, err
}

// fieldsWithin gives the fields of a measurement of which some of its series
// have a value in a range of time; all when within is nil.
func fieldsWithin(ctx context.Context, src Source, m string, series []uint32, within *model.TimeRange) ([]model.Field, error) {
	fields := src.Fields(m)
	if within == nil {
		return fields, nil
	}
	have := make([]bool, len(fields))
	missing := len(fields)
	err := eachWithin(ctx, src, series, fields, *within, func(_ uint32, holds func(field int) (bool, error), _ int) (more bool, err error) {
		for f := range fields {
			if have[f] {
				continue
			}
			if have[f], err = holds(f); err != nil {
				return false, err
			}
			if have[f] {
				missing--
			}
		}
		return missing > 0, nil
	})
	var found []model.Field
	for f, ok := range have {
		if ok {
			found = append(found, fields[f])
		}
	}
	return found, err
}

// granuleLook looks at a granule of a series; holds says whether a field has a
// value in the range there. It reports whether to go on.
type granuleLook func(series uint32, holds func(field int) (bool, error), fields int) (more bool, err error)

// eachWithin gives the granules of series that overlap a range. One is loaded
// only when it is asked about, and statistics do not say.
func eachWithin(ctx context.Context, src Source, series []uint32, fields []model.Field, within model.TimeRange, look granuleLook) (err error) {
	if within.Empty() || len(series) == 0 || len(fields) == 0 {
		return nil
	}
	c := src.Scan(ScanOptions{Fields: fields, Range: within})
	defer func() { err = errors.Join(err, c.Close()) }()
	for _, id := range series {
		for c.Seek(id, within); ; {
			if err := ctx.Err(); err != nil {
				return err
			}
			g, err := c.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			more, err := look(id, func(field int) (bool, error) { return hasWithin(g, field, within) }, len(fields))
			if err != nil || !more {
				return err
			}
		}
	}
	return nil
}

// hasWithin reports whether a field has a value within a range in a granule.
func hasWithin(g Granule, field int, within model.TimeRange) (bool, error) {
	if s, ok := g.Stats(field); ok && (s.Count == 0 || within.Covers(g.Range())) {
		return s.Count > 0, nil
	}
	times, err := g.Times()
	if err != nil {
		return false, err
	}
	column, err := g.Column(field)
	if err != nil {
		return false, err
	}
	for i, t := range times {
		if within.Contains(t) && column.Has(i) {
			return true, nil
		}
	}
	return false, nil
}
