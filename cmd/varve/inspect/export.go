package inspect

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

var exportCommand = &command{
	name: "export", arguments: "[-data-dir DIR] [-out FILE] [-database NAME] [-retention NAME] [-measurement NAME] [-start TIME] [-end TIME] [SHARD | DIR…]",
	help: "write the data as line protocol, as a query would answer it\n" +
		"\"varve -import\" and \"influx -import\" read it back. A node of a cluster has its shards only. The exit code is 1 when\n" +
		"damage kept something from being written.",
	setup: func(s *session) func(context.Context) error {
		e := &exporter{session: s, within: model.TimeRange{Min: model.MinTime, Max: model.MaxTime}}
		s.flags.StringVar(&e.out, "out", "-", "`file` to write, gzipped when its name ends in .gz; - is standard output")
		s.flags.StringVar(&e.database, "database", "", "of this database only")
		s.flags.StringVar(&e.policy, "retention", "", "of this retention policy only")
		s.flags.StringVar(&e.measurement, "measurement", "", "of this measurement only")
		s.flags.BoolVar(&e.linesOnly, "lponly", false, "write line protocol only, no statements and comments")
		at := func(name string, to *int64) {
			s.flags.Func(name, "`time` in RFC 3339 or nanoseconds, included", func(text string) (err error) {
				*to, err = parseTime(text)
				return err
			})
		}
		at("start", &e.within.Min)
		at("end", &e.within.Max)
		return e.run
	},
}

func parseTime(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err == nil && (t.Before(time.Unix(0, model.MinTime)) || t.After(time.Unix(0, model.MaxTime))) {
		err = fmt.Errorf("%s cannot be kept", text)
	}
	return t.UnixNano(), err
}

// exporter is a run of export.
type exporter struct {
	*session
	out                           string
	database, policy, measurement string
	within                        model.TimeRange
	linesOnly                     bool

	w       *bufio.Writer
	buf     []byte
	lines   int64
	context [2]string // database and policy said last
	damaged bool
}

func (e *exporter) run(ctx context.Context) (err error) {
	p, err := e.findNamed()
	if err != nil {
		return err
	}
	p.shards = slices.DeleteFunc(p.shards, func(sh *shard) bool {
		return sh.dropped || e.database != "" && e.database != sh.Database || e.policy != "" && e.policy != sh.Policy
	})
	for _, sh := range p.shards {
		if sh.Database == "" && !e.linesOnly {
			return fmt.Errorf("%s: of which database is not known: -lponly writes its lines alone", sh.name())
		}
	}
	done, err := e.open()
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, done())
		if err == nil && e.damaged {
			err = errDamage
		}
	}()
	if !e.linesOnly {
		e.statements(p)
	}
	for _, sh := range p.shards {
		err := e.shard(ctx, sh)
		switch {
		case isDamage(err):
			e.damaged = true
			fmt.Fprintf(e.errs, "%s is damaged and not whole here: %v\n", sh.name(), err)
		case errors.Is(err, fs.ErrNotExist) && p.live: // dropped meanwhile
		case err != nil:
			return err
		}
	}
	fmt.Fprintf(e.errs, "Exported %d lines of %d shards\n", e.lines, len(p.shards))
	return nil
}

// findNamed finds shards and their names. A server tells the names of new ones
// a second later.
func (e *exporter) findNamed() (p *place, err error) {
	for range 3 {
		p, err = e.find(e.args)
		if err != nil || !p.live || !slices.ContainsFunc(p.shards, func(sh *shard) bool { return sh.Database == "" }) {
			break
		}
		time.Sleep(time.Second)
	}
	return p, err
}

// open gives where lines go, and what ends it.
func (e *exporter) open() (done func() error, err error) {
	if e.out == "-" {
		e.w = bufio.NewWriterSize(e.session.out, 1<<20)
		return e.w.Flush, nil
	}
	// Nothing there is written over: it might be what is read.
	f, err := os.OpenFile(e.out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	var to io.WriteCloser = f
	closers := []func() error{f.Sync, f.Close}
	if strings.HasSuffix(e.out, ".gz") {
		to = gzip.NewWriter(f)
		closers = append([]func() error{to.Close}, closers...)
	}
	e.w = bufio.NewWriterSize(to, 1<<20)
	closers = append([]func() error{e.w.Flush}, closers...)
	return func() error {
		var errs []error
		for _, c := range closers {
			errs = append(errs, c())
		}
		return errors.Join(errs...)
	}, nil
}

// statements writes what makes the databases and policies. Policies keep for
// ever there, so that no line is refused for its age; what they were is told.
func (e *exporter) statements(p *place) {
	fmt.Fprintf(e.w, "# INFLUXDB EXPORT: %s - %s\n# DDL\n", timeText(e.within.Min), timeText(e.within.Max))
	said := map[[2]string]bool{}
	for _, sh := range p.shards {
		database, policy := influxql.QuoteIdent(sh.Database), influxql.QuoteIdent(sh.Policy)
		if said[[2]string{sh.Database, sh.Policy}] {
			continue
		}
		statement := fmt.Sprintf("CREATE RETENTION POLICY %s ON %s DURATION INF REPLICATION 1", policy, database)
		d := p.snapshot.Database(sh.Database)
		if d != nil && !said[[2]string{sh.Database}] {
			first := sh.Policy
			if d.Policy("") != nil && e.policy == "" {
				first = d.DefaultPolicy
			}
			fmt.Fprintf(e.w, "CREATE DATABASE %s WITH NAME %s\n", database, influxql.QuoteIdent(first))
			said[[2]string{sh.Database}], said[[2]string{sh.Database, first}] = true, true
			if first == sh.Policy {
				statement = ""
			}
		}
		said[[2]string{sh.Database, sh.Policy}] = true
		if statement != "" {
			fmt.Fprintln(e.w, statement)
		}
		if d != nil {
			if rp := d.Policy(sh.Policy); rp != nil && rp.Duration > 0 {
				fmt.Fprintf(e.w, "# %s kept data for %s\n", policy, influxql.FormatDuration(rp.Duration))
			}
		}
	}
	fmt.Fprintln(e.w, "# DML")
}

// shard writes the rows of a shard.
func (e *exporter) shard(ctx context.Context, sh *shard) (err error) {
	view, err := tsm.View(e.fs, sh.Dir, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, view.Close()) }()
	r, err := view.Reader()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if !e.linesOnly {
		if is := [2]string{sh.Database, sh.Policy}; is != e.context {
			e.context = is
			fmt.Fprintf(e.w, "# CONTEXT-DATABASE:%s\n# CONTEXT-RETENTION-POLICY:%s\n", sh.Database, sh.Policy)
		}
		fmt.Fprintf(e.w, "# writing shard %d\n", sh.ID)
	}
	var damage error
	for _, m := range r.Measurements() {
		if e.measurement != "" && e.measurement != m {
			continue
		}
		err := e.rows(ctx, r, m)
		if !isDamage(err) && err != nil {
			return err
		}
		damage = cmp.Or(damage, err)
	}
	return damage
}

// rows writes the rows of a measurement.
func (e *exporter) rows(ctx context.Context, r *tsm.Reader, measurement string) error {
	series, err := r.Series(measurement, nil)
	if err != nil {
		return err
	}
	c := r.Scan(tsm.ScanOptions{Series: series, Fields: r.Fields(measurement), Range: e.within})
	defer c.Close()
	for {
		g, err := c.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		times, columns, err := g.Load()
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		key := r.Key(g.Series())
		for i, t := range times {
			e.buf = appendLine(e.buf[:0], key, columns, i, t)
			if len(e.buf) == 0 {
				continue
			}
			e.lines++
			if _, err := e.w.Write(e.buf); err != nil {
				return err
			}
		}
	}
}
