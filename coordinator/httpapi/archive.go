package httpapi

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/influxdata/influxql"
	"github.com/labstack/echo/v4"

	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

// The times of InfluxDB for the parts of an archive.
const (
	defaultCPU = 30 * time.Second
	maxTrace   = 45 * time.Second
)

// maxTraceBytes ends a trace before its time. A busy server writes some megabytes
// of it in a second, which are held until the archive is complete.
const maxTraceBytes = 32 << 20

// archive answers /debug/pprof/all: profiles and what SHOW says of the server, for
// whoever is to help from afar. With cpu=30s and trace=10s it has these, too.
func (s *Server) archive(c echo.Context) error {
	cpu, trace, err := archiveTimes(c.QueryParams())
	if err != nil {
		return s.fail(c, err)
	}
	files, err := profileFiles(c.Request().Context(), cpu, trace)
	if err == nil {
		var shown []archiveFile
		shown, err = s.shown(c)
		files = append(files, shown...)
	}
	if err != nil {
		return s.fail(c, err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: "profiles/" + f.name, Mode: 0o600, Size: int64(len(f.data))}))
		if err == nil {
			_, err = w.Write(f.data)
		}
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return s.fail(c, err)
	}
	c.Response().Header().Set(echo.HeaderContentDisposition, "attachment; filename=profiles.tar")
	return c.Blob(http.StatusOK, "application/x-tar", b.Bytes())
}

type archiveFile struct {
	name string
	data []byte
}

// archiveTimes reads for how long the CPU is profiled and a trace is taken; 0 is
// not at all. Of several values the last counts. The time for the CPU may be in
// seconds, too.
func archiveTimes(v url.Values) (cpu, trace time.Duration, err error) {
	last := func(name string) string { return v[name][len(v[name])-1] }
	if v.Has("trace") {
		if trace, err = time.ParseDuration(last("trace")); err != nil {
			return 0, 0, invalid(fmt.Sprintf("could not parse supplied duration for trace %q", last("trace")))
		}
		if trace < 0 {
			return 0, 0, invalid("negative trace durations not allowed")
		}
		trace = min(trace, maxTrace)
	}
	if v.Has("cpu") {
		if v.Has("seconds") {
			var n int64
			n, err = strconv.ParseInt(last("seconds"), 10, 32)
			cpu = time.Duration(n) * time.Second
		} else {
			cpu, err = time.ParseDuration(last("cpu"))
		}
		switch {
		case err != nil:
			return 0, 0, invalid(fmt.Sprintf("could not parse supplied duration for cpu profile %q", last("cpu")))
		case cpu < 0:
			return 0, 0, invalid("negative cpu profile durations not allowed")
		case cpu > maxProfile:
			return 0, 0, tooLong
		case cpu == 0:
			cpu = defaultCPU
		}
	}
	return cpu, trace, nil
}

// profileFiles takes profiles. They end early with ctx.
func profileFiles(ctx context.Context, cpu, traced time.Duration) ([]archiveFile, error) {
	var files []archiveFile
	var b bytes.Buffer
	add := func(name string) {
		files = append(files, archiveFile{name + ".pb.gz", bytes.Clone(b.Bytes())})
		b.Reset()
	}
	if cpu > 0 {
		if err := pprof.StartCPUProfile(&b); err != nil {
			return nil, err
		}
		wait(ctx, cpu)
		pprof.StopCPUProfile()
		add("cpu")
	}
	for _, name := range []string{"goroutine", "block", "mutex", "heap", "allocs", "threadcreate"} {
		if err := pprof.Lookup(name).WriteTo(&b, 0); err != nil {
			return nil, err
		}
		add(name)
	}
	if traced > 0 {
		ctx, enough := context.WithCancel(ctx)
		defer enough()
		if err := trace.Start(&bounded{to: &b, left: maxTraceBytes, full: enough}); err != nil {
			return nil, err
		}
		wait(ctx, traced)
		trace.Stop()
		add("trace")
	}
	return files, nil
}

// bounded passes on what is written, and says when it has become much: who writes is
// to end then, in order.
type bounded struct {
	to   io.Writer
	left int
	full func()
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left <= 0 {
		b.full()
	}
	return b.to.Write(p)
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// shown gives what statements show of the server, as whoever asks may see it.
func (s *Server) shown(c echo.Context) ([]archiveFile, error) {
	var files []archiveFile
	for _, show := range []struct {
		name string
		stmt influxql.Statement
	}{
		{"shards", &influxql.ShowShardsStatement{}},
		{"stats", &influxql.ShowStatsStatement{}},
		{"diagnostics", &influxql.ShowDiagnosticsStatement{}},
	} {
		q, err := s.make(c, "", show.stmt)
		if err != nil {
			return nil, err
		}
		var t textTable
		if err := s.parts.Queries.Execute(c.Request().Context(), q, &t); err != nil {
			return nil, err
		}
		files = append(files, archiveFile{show.name + ".txt", t.text.Bytes()})
	}
	return files, nil
}

// textTable writes results as columns of text. It is a query.Sink.
type textTable struct{ text bytes.Buffer }

func (*textTable) Begin(query.Statement) error { return nil }

func (t *textTable) Rows(r *exec.Rows) error {
	w := tabwriter.NewWriter(&t.text, 8, 8, 1, '\t', 0)
	fmt.Fprintf(w, "%s\n%s\t\n", r.Name, strings.Join(r.Columns, "\t"))
	for i := range r.Len() {
		for k := range r.Values {
			fmt.Fprintf(w, "%v\t", r.Values[k].Value(i))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	return w.Flush()
}

func (t *textTable) End(o query.Outcome) error {
	if o.Err != nil {
		fmt.Fprintln(&t.text, o.Err)
	}
	return nil
}
