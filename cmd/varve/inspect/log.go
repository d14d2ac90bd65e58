package inspect

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
	"github.com/varvedb/varve/tsm/wal"
)

var logCommand = &command{
	name: "dump-log", arguments: "[--rows] FILE | DIR…",
	help:  "show the records of a log: files, or the directory of a log or a shard",
	least: 1,
	setup: func(s *session) func(context.Context) error {
		d := &logDump{session: s}
		s.flags.BoolVar(&d.rows, "rows", false, "show rows")
		return d.run
	},
}

// logDump is a run of dump-log.
type logDump struct {
	*session
	rows bool

	keys    map[model.SeriesHash][]byte // of the file, while rows are shown
	line    []byte
	damaged bool
}

func (d *logDump) run(ctx context.Context) error {
	for _, arg := range d.args {
		arg = filepath.ToSlash(filepath.Clean(arg))
		names := []string{arg}
		if _, err := d.fs.List(arg); err == nil {
			dir := arg
			if _, err := d.fs.List(tsm.LogDir(arg)); err == nil {
				dir = tsm.LogDir(arg)
			}
			if names, err = wal.Files(d.fs, dir); err != nil {
				return err
			}
		}
		for _, name := range names {
			if err := d.file(ctx, name); err != nil {
				return err
			}
		}
	}
	if d.damaged {
		return errDamage
	}
	return nil
}

func (d *logDump) file(ctx context.Context, name string) error {
	fmt.Fprintf(d.out, "%s\n", path.Base(name))
	d.keys = map[model.SeriesHash][]byte{}
	batches, rows := 0, 0
	in, err := wal.Inspect(d.fs, name, func(r wal.Record) error {
		if r.Batch != nil && r.Err == nil {
			batches++
			rows += r.Batch.Rows()
		}
		return errors.Join(ctx.Err(), d.record(&r))
	})
	if isDamage(err) {
		d.damaged = true
		fmt.Fprintf(d.out, "  DAMAGED: %v\n", err)
		return nil
	}
	if err != nil {
		return err
	}
	if in.Torn > 0 {
		fmt.Fprintf(d.out, "  %d: torn end of %d bytes, not acknowledged\n", in.Bytes-in.Torn, in.Torn)
	}
	fmt.Fprintf(d.out, "  %s, %d batches from %d on, %d rows\n", size(in.Bytes), batches, in.First, rows)
	return nil
}

func (d *logDump) record(r *wal.Record) error {
	switch {
	case r.Err != nil:
		d.damaged = true
		_, err := fmt.Fprintf(d.out, "  %d: DAMAGED, %d bytes: %v\n", r.Offset, r.Bytes, r.Err)
		return err
	case r.End:
		_, err := fmt.Fprintf(d.out, "  %d: the log was closed here\n", r.Offset)
		return err
	}
	b := r.Batch
	if _, err := fmt.Fprintf(d.out, "  %d: %d: %s, %d bytes", r.Offset, r.LSN, versionText(b.Version), r.Bytes); err != nil {
		return err
	}
	if b.Delete != nil {
		_, err := fmt.Fprintf(d.out, ", delete of %s, %s\n", predicateText(b.Delete.Where), rangeText(b.Delete.Range))
		return err
	}
	keys := 0
	for i := range b.Series {
		if b.Series[i].Key != nil {
			keys++
		}
		if d.rows && b.Series[i].Key != nil {
			d.keys[b.Series[i].Hash] = b.Series[i].Key
		}
	}
	fmt.Fprintf(d.out, ", %d series (%d for the first time here)\n", len(b.Series), keys)
	for i := range b.Tables {
		t := &b.Tables[i]
		_, err := fmt.Fprintf(d.out, "      %s: %d rows, %d fields, %s\n", t.Measurement, len(t.Times), len(t.Columns), rangeText(t.Range()))
		if err != nil {
			return err
		}
		if d.rows {
			if err := d.table(b, t); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *logDump) table(b *model.Batch, t *model.Table) error {
	for i, time := range t.Times {
		s := &b.Series[t.Series[i]]
		key, ok := d.keys[s.Hash]
		if !ok {
			key = fmt.Appendf(nil, "%s(series %016x%016x)", t.Measurement, s.Hash.Hi, s.Hash.Lo)
		}
		d.line = append(d.line[:0], "        "...)
		d.line = appendLine(d.line, key, t.Columns, i, time)
		if _, err := d.out.Write(d.line); err != nil {
			return err
		}
	}
	return nil
}
