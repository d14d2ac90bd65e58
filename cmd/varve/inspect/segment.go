package inspect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
	"github.com/varvedb/varve/tsm/block"
	"github.com/varvedb/varve/tsm/segment"
)

var segmentCommand = &command{
	name: "dump-segment", arguments: "[--measurement NAME] [--rows [--limit N]] FILE…",
	help: "show what is in segment files\n" +
		"Keys of series are shown where the file lies in the directory of its shard.",
	least: 1,
	setup: func(s *session) func(context.Context) error {
		d := &segmentDump{session: s}
		s.flags.StringVar(&d.measurement, "measurement", "", "show this measurement only")
		s.flags.BoolVar(&d.rows, "rows", false, "show rows")
		s.flags.IntVar(&d.limit, "limit", 0, "show so many rows; 0 is all")
		return d.run
	},
}

// segmentDump is a run of dump-segment.
type segmentDump struct {
	*session
	measurement string
	rows        bool
	limit       int

	shown int // rows
	line  []byte
}

func (d *segmentDump) run(ctx context.Context) error {
	damaged := false
	for _, name := range d.args {
		name = filepath.ToSlash(name)
		f, err := d.fs.Open(name)
		if err != nil {
			return err
		}
		r, err := segment.Open(f)
		if err == nil {
			err = d.file(ctx, name, r)
			err = errors.Join(err, r.Close())
		}
		if isDamage(err) {
			damaged = true
			fmt.Fprintf(d.out, "%s is damaged: %v\n", name, err)
		} else if err != nil {
			return err
		}
	}
	if damaged {
		return errDamage
	}
	return nil
}

func (d *segmentDump) file(ctx context.Context, name string, r *segment.Reader) error {
	m := r.Meta()
	fmt.Fprintf(d.out, "%s: %s, %d rows of %d series, %s\n", name, size(m.Size), m.Rows, m.Series, rangeText(m.Range))
	fmt.Fprintf(d.out, "versions %s to %s", versionText(m.MinVersion), versionText(m.MaxVersion))
	if m.Versioned {
		fmt.Fprintf(d.out, ", %d, kept for each row\n", len(r.Versions()))
	} else {
		fmt.Fprintln(d.out, ", not kept for each row")
	}
	for seg := range r.Segments() {
		if d.measurement != "" && d.measurement != seg.Measurement {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := d.segment(r, &seg); err != nil {
			return err
		}
	}
	if !d.rows {
		return nil
	}
	keys, closeKeys := d.keys(name)
	defer closeKeys()
	for _, measurement := range r.Measurements() {
		if d.measurement != "" && d.measurement != measurement {
			continue
		}
		if err := d.dumpRows(ctx, r, measurement, keys); err != nil {
			return err
		}
	}
	return nil
}

func (d *segmentDump) segment(r *segment.Reader, seg *segment.Segment) error {
	fmt.Fprintf(d.out, "\nsegment %d of %s at %d: %s, %d rows, %d series from %d to %d, %d granules, %d time vectors, %s\n",
		seg.Number, seg.Measurement, seg.Offset, size(seg.Bytes), seg.Rows, seg.Series, seg.First, seg.Last, seg.Granules, seg.Vectors, rangeText(seg.Range))
	var t table
	t.add("  part", "bytes", "values", "bytes/value", " codecs: blocks")
	for i := range seg.Parts {
		p := &seg.Parts[i]
		if p.Field.Name == "" {
			t.add("  "+p.Kind, p.Bytes)
			continue
		}
		if p.Kind == segment.FieldTables {
			t.add(fmt.Sprintf("  %s (%s), tables", p.Field.Name, p.Field.Type), p.Bytes)
			continue
		}
		codecs := map[string]int{}
		values := 0
		err := r.Blocks(seg, slices.Index(seg.Fields, p.Field), func(b block.Description, _ int) {
			codecs[b.Codec]++
			values += b.Values
		})
		if err != nil {
			return errors.Join(err, t.print(d.out))
		}
		var list []string
		for _, c := range slices.Sorted(maps.Keys(codecs)) {
			list = append(list, fmt.Sprintf("%s: %d", c, codecs[c]))
		}
		t.add(fmt.Sprintf("  %s (%s)", p.Field.Name, p.Field.Type), p.Bytes, values, perValue(int64(p.Bytes), int64(values)), strings.Join(list, "; "))
	}
	return t.print(d.out)
}

// keys gives the keys of series, from the index of the shard that a file lies
// in, if it does.
func (d *segmentDump) keys(name string) (key func(measurement string, series uint32) []byte, done func()) {
	number := func(measurement string, series uint32) []byte {
		return fmt.Appendf(nil, "%s(series %d)", measurement, series)
	}
	s, err := tsm.View(d.fs, path.Dir(name), false)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(d.errs, "Keys of series are not known: %v\n", err)
		}
		return number, func() {}
	}
	r, err := s.Reader()
	if err != nil {
		s.Close()
		return number, func() {}
	}
	return func(measurement string, series uint32) []byte {
		if k := r.Key(series); k != nil {
			return k
		}
		return number(measurement, series)
	}, func() { r.Close(); s.Close() }
}

func (d *segmentDump) dumpRows(ctx context.Context, r *segment.Reader, measurement string, keys func(string, uint32) []byte) error {
	fields := r.Fields(measurement)
	var c segment.Cursor
	c.Reset(r, measurement, fields)
	for {
		ok, err := c.Next()
		if err != nil || !ok {
			return err
		}
		key := keys(measurement, c.Series())
		for g := range c.Granules() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := d.granule(r, &c, g, key, len(fields)); err != nil {
				return err
			}
			if d.limit > 0 && d.shown >= d.limit {
				return nil
			}
		}
	}
}

// granule shows the rows of a granule, each with its version where it has one.
func (d *segmentDump) granule(r *segment.Reader, c *segment.Cursor, g int, key []byte, fields int) error {
	times, err := c.Times(g)
	if err != nil {
		return err
	}
	versions, err := c.Versions(g)
	if err != nil {
		return err
	}
	columns := make([]model.Column, fields)
	for i := range columns {
		column, err := c.Column(g, i)
		if err != nil {
			return err
		}
		columns[i] = *column
	}
	for i, t := range times {
		if d.limit > 0 && d.shown >= d.limit {
			return nil
		}
		d.shown++
		d.line = appendLine(d.line[:0], key, columns, i, t)
		if versions != nil && len(d.line) > 0 {
			d.line = fmt.Appendf(d.line[:len(d.line)-1], "  # %s\n", versionText(r.Versions()[versions[i]]))
		}
		if _, err := d.out.Write(d.line); err != nil {
			return err
		}
	}
	return nil
}
