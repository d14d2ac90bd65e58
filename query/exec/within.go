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
	err = eachWithin(ctx, src, series, src.Fields(m), *within, func(g Granule, holds func(field int) (bool, error), fields int) (more bool, err error) {
		if n := len(have); n > 0 && have[n-1] == g.Series() {
			return true, nil
		}
		for f := range fields {
			ok, err := holds(f)
			if err != nil {
				return false, err
			}
			if ok {
				have = append(have, g.Series())
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
	err := eachWithin(ctx, src, series, fields, *within, func(_ Granule, holds func(field int) (bool, error), _ int) (more bool, err error) {
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

// granuleLook looks at a granule; holds says whether a field has a value in the
// range there. It reports whether to go on.
type granuleLook func(g Granule, holds func(field int) (bool, error), fields int) (more bool, err error)

// eachWithin gives the granules of series that overlap a range. One is loaded
// only when it is asked about, and statistics do not say.
func eachWithin(ctx context.Context, src Source, series []uint32, fields []model.Field, within model.TimeRange, look granuleLook) (err error) {
	if within.Empty() || len(series) == 0 || len(fields) == 0 {
		return nil
	}
	c := src.Scan(ScanOptions{Series: series, Fields: fields, Range: within})
	defer func() { err = errors.Join(err, c.Close()) }()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		g, err := c.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var times []int64
		var columns []model.Column
		more, err := look(g, func(field int) (bool, error) {
			if s, ok := g.Stats(field); ok {
				return s.Count > 0, nil
			}
			if columns == nil {
				var err error
				if times, columns, err = g.Load(); err != nil {
					return false, err
				}
			}
			for i, t := range times {
				if within.Contains(t) && columns[field].Has(i) {
					return true, nil
				}
			}
			return false, nil
		}, len(fields))
		if err != nil || !more {
			return err
		}
	}
}
