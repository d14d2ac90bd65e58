package segment

import (
	"fmt"
	"runtime/debug"

	"github.com/varvedb/varve/model"
)

// Verify checks every checksum anew and decodes every block of r. It is for
// scrubs, tools and copies; reads verify what they touch by themselves.
func Verify(r *Reader) (err error) {
	defer r.guard(debug.SetPanicOnFault(true), &err)
	series, rows := int64(0), int64(0)
	var c Cursor
	for i := range r.foot.measurements {
		m := &r.foot.measurements[i]
		for k := range m.segments {
			if err := r.scrubSegment(i, k); err != nil {
				return err
			}
		}
		c.Reset(r, m.name, m.fields)
		for {
			ok, err := c.Next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			series++
			for g := range c.Granules() {
				rows += int64(c.Granules()[g].Rows)
				if err := verifyGranule(&c, g, len(m.fields)); err != nil {
					return err
				}
			}
		}
	}
	if series != r.foot.meta.Series || rows != r.foot.meta.Rows {
		return fmt.Errorf("%d series with %d rows, the footer says %d with %d: %w",
			series, rows, r.foot.meta.Series, r.foot.meta.Rows, model.ErrCorrupt)
	}
	return nil
}

// verifyGranule decodes all that granule g has.
func verifyGranule(c *Cursor, g, fields int) error {
	times, err := c.Times(g)
	if err != nil {
		return err
	}
	repeats := false
	for i := 1; i < len(times); i++ {
		if times[i] < times[i-1] {
			return c.view.corrupt("order of times")
		}
		repeats = repeats || times[i] == times[i-1]
	}
	if repeats != c.granules[g].Repeats || repeats && !c.r.foot.meta.Versioned {
		return c.view.corrupt("repeated times")
	}
	if _, err := c.Versions(g); err != nil {
		return err
	}
	for f := range fields {
		column, err := c.Column(g, f)
		if err != nil {
			return err
		}
		s, exact, err := c.Stats(g, f)
		if err != nil {
			return err
		}
		if exact && s.Count != column.Count() {
			return c.view.corrupt("statistics of " + column.Name)
		}
	}
	return nil
}
