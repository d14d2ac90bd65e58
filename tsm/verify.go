package tsm

import (
	"context"
	"fmt"
	"slices"

	"github.com/varvedb/varve/model"
	codec "github.com/varvedb/varve/tsm/block"
	"github.com/varvedb/varve/tsm/segment"
)

// verify reads back the file that w has written, before anything else is let go
// for it: every block is decoded once, and must give what was given; statistics
// must be those of the values. An error of kind model.ErrCorrupt says that we
// have made a wrong file, whose sources are all still there.
//
// It takes about what a scan of the file does. To trust checksums alone would be
// cheaper, but they only say that the file is as we have written it.
func (w *rewrite) verify(ctx context.Context, f *file) error {
	v := verifier{w: w, r: f.r, runs: w.given.runs.reader()}
	for _, name := range f.r.Measurements() {
		if err := v.measurement(ctx, name); err != nil {
			return fmt.Errorf("read back file %s: %w", segmentName(w.id), err)
		}
	}
	switch {
	case !slices.Equal(f.r.Versions(), w.given.table):
		return fmt.Errorf("read back file %s: its versions are not those given: %w", segmentName(w.id), model.ErrCorrupt)
	case v.audit.finish() != w.given.audit.finish():
		return fmt.Errorf("read back file %s: its rows are not those given: %w", segmentName(w.id), model.ErrCorrupt)
	}
	f.scrub.noteWritten()
	return nil
}

// given is what a rewrite has given to its file.
type given struct {
	audit audit
	runs  runs
	table []model.Version
}

// version gives the number of a version in the file.
func (g *given) version(sw *segment.Writer, v model.Version) uint32 {
	n := sw.Version(v)
	if int(n) == len(g.table) {
		g.table = append(g.table, v)
	}
	return n
}

// verifier reads a file back.
type verifier struct {
	w       *rewrite
	r       *segment.Reader
	cursor  segment.Cursor
	audit   audit
	runs    runReader
	columns []model.Column
}

func (v *verifier) measurement(ctx context.Context, name string) error {
	fields := v.r.Fields(name)
	v.audit.measurement(name, fields)
	v.cursor.Reset(v.r, name, fields)
	for rows := 0; ; {
		ok, err := v.cursor.Next()
		if err != nil || !ok {
			return err
		}
		v.audit.at(v.cursor.Series())
		for g, granule := range v.cursor.Granules() {
			if err := v.granule(g, granule, fields); err != nil {
				return err
			}
			if rows += granule.Rows; rows >= verifyRows {
				rows = 0
				if err := v.w.step(ctx, v.w.written); err != nil {
					return err
				}
			}
		}
	}
}

// verifyRows is how many rows are read back between looks at what else there is
// to do.
const verifyRows = 1 << 14

// granule decodes all that granule g has.
func (v *verifier) granule(g int, granule segment.Granule, fields []model.Field) error {
	copied, ok := v.runs.take(granule.Rows)
	if !ok {
		return fmt.Errorf("granule of %d rows, series %d: not cut as given: %w", granule.Rows, v.cursor.Series(), model.ErrCorrupt)
	}
	times, err := v.cursor.Times(g)
	if err != nil {
		return err
	}
	versions, err := v.cursor.Versions(g)
	if err != nil {
		return err
	}
	v.columns = v.columns[:0]
	for i := range fields {
		c, err := v.cursor.Column(g, i)
		if err != nil {
			return err
		}
		v.columns = append(v.columns, *c)
	}
	if !copied {
		v.audit.add(times, versions, v.columns)
		return v.statistics(g, fields)
	}
	return v.audit.copied(granule.Rows, granule.Range, versions, func(i int) (model.Stats, bool, *model.Column, error) {
		stored, pinned, err := pinnedStats(&v.cursor, g, i, fields[i].Type)
		if !pinned || err != nil {
			return stored, false, &v.columns[i], err
		}
		s, _ := codec.Stats(&v.columns[i])
		return s, true, nil, v.same(stored, s, fields[i])
	})
}

// statistics compares what the file says of the values with what they are.
func (v *verifier) statistics(g int, fields []model.Field) error {
	for i := range fields {
		stored, exact, err := v.cursor.Stats(g, i)
		if err != nil {
			return err
		}
		if !exact {
			continue
		}
		s, _ := codec.Stats(&v.columns[i])
		if err := v.same(stored, s, fields[i]); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) same(stored, found model.Stats, f model.Field) error {
	if stored != found {
		return fmt.Errorf("series %d: statistics of %v are %v, of its values %v: %w", v.cursor.Series(), f, stored, found, model.ErrCorrupt)
	}
	return nil
}

// pinnedStats gives the statistics of a granule that is copied; ok is false
// when they would be the same of other values as likely as not.
func pinnedStats(c *segment.Cursor, g, field int, t model.FieldType) (s model.Stats, ok bool, err error) {
	s, exact, err := c.Stats(g, field)
	return s, exact && (s.Count == 0 || t != model.String && t != model.Boolean), err
}
