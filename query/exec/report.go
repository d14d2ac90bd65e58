package exec

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/varvedb/varve/internal/wire"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/plan"
)

// Report is what a fragment takes at a shard: what it would read, or after a run
// also what it did.
type Report struct {
	Shard, Node uint64 // who reports
	Series      int64
	Cost        Cost

	// After a run:
	Granules int64 // that were looked at
	Rows     int64 // of those that were decoded
	// Blocks is the columns that were decoded, and BlockBytes what they took in
	// memory, by type.
	Blocks, BlockBytes [model.Boolean + 1]int64
	Answered           int64         // rows of the answer
	Planning           time.Duration // until the first row was read
	Running            time.Duration // in all
}

// Cost is what is stored of what a scan asks for.
type Cost struct {
	Cached int64 // values in memory
	Files  int64
	Blocks int64 // in files
	Bytes  int64 // of these blocks
}

// Add adds o to c. A file that both have counts twice.
func (c *Cost) Add(o Cost) {
	c.Cached += o.Cached
	c.Files += o.Files
	c.Blocks += o.Blocks
	c.Bytes += o.Bytes
}

// Coster is a Source that knows what a scan of series would read.
type Coster interface {
	Cost(ctx context.Context, series []uint32, o ScanOptions) (Cost, error)
}

// numbers gives the figures of r, in the order in which they go over the wire.
func (r *Report) numbers() []*int64 {
	all := []*int64{
		&r.Series, &r.Cost.Cached, &r.Cost.Files, &r.Cost.Blocks, &r.Cost.Bytes,
		&r.Granules, &r.Rows, &r.Answered, (*int64)(&r.Planning), (*int64)(&r.Running),
	}
	for t := range r.Blocks {
		all = append(all, &r.Blocks[t], &r.BlockBytes[t])
	}
	return all
}

func appendReport(dst []byte, r *Report) []byte {
	dst = wire.AppendUvarint(wire.AppendUvarint(dst, r.Shard), r.Node)
	for _, n := range r.numbers() {
		dst = wire.AppendUvarint(dst, uint64(*n))
	}
	return dst
}

func decodeReport(r *wire.Reader) *Report {
	report := &Report{Shard: r.Uvarint(), Node: r.Uvarint()}
	for _, n := range report.numbers() {
		*n = int64(r.Uvarint())
	}
	return report
}

// Reported gives the stream s without reports, which go to take. Where a LIMIT
// ends it early, the report of a shard that is done by itself is waited for.
func Reported(s Stream, take func(*Report)) Stream { return &reported{Stream: s, take: take} }

type reported struct {
	Stream
	take  func(*Report)
	begun bool
}

func (r *reported) Next(ctx context.Context) (*Partial, error) {
	for r.begun = true; ; {
		p, err := r.Stream.Next(ctx)
		if err != nil || p.Report == nil {
			return p, err
		}
		r.take(p.Report)
	}
}

// lateReport bounds the wait for a report when a stream ends early, and
// lateParts what is read over for it.
const (
	lateReport = 20 * time.Millisecond
	lateParts  = pipeDepth + 2
)

func (r *reported) Close() error {
	if r.begun {
		ctx, cancel := context.WithTimeout(context.Background(), lateReport)
		defer cancel()
		for range lateParts {
			if _, err := r.Next(ctx); err != nil {
				break // its end, or the wait's
			}
		}
	}
	return r.Stream.Close()
}

// Reports reads all of a stream of a fragment that is not run and gives what it
// reports.
func Reports(ctx context.Context, s Stream) (all []*Report, err error) {
	defer func() { err = errors.Join(err, s.Close()) }()
	for {
		p, err := s.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case p.Report != nil:
			all = append(all, p.Report)
		}
	}
}

// meter runs a fragment and counts what it takes, in one goroutine.
type meter struct {
	Source
	report Report
	start  time.Time
}

// runReported runs the fragment of r and then reports.
func runReported(r *runner) error {
	m := &meter{Source: r.src, start: time.Now()}
	r.workers = nil
	emit := r.emit
	r.src, r.emit = m, func(p *Partial) error {
		m.report.Answered += int64(len(p.Times))
		return emit(p)
	}
	if r.f.Report == plan.RunReport {
		if err := r.run(); err != nil {
			return err
		}
	} else if r.resolve() {
		if err := r.group(); err != nil {
			return err
		}
	}
	for i := range r.groups {
		m.report.Series += int64(len(r.groups[i].series))
	}
	if c, ok := m.Source.(Coster); ok && r.f.Report == plan.CostReport {
		for i := range r.groups {
			cost, err := c.Cost(r.ctx, r.groups[i].series, ScanOptions{Fields: r.fields, Range: r.f.Range})
			if err != nil {
				return err
			}
			m.report.Cost.Add(cost)
		}
	}
	m.report.Running = time.Since(m.start)
	return emit(&Partial{Report: &m.report})
}

func (m *meter) Scan(o ScanOptions) Cursor {
	if m.report.Planning == 0 {
		m.report.Planning = time.Since(m.start)
	}
	return &meteredCursor{Cursor: m.Source.Scan(o), report: &m.report}
}

type meteredCursor struct {
	Cursor
	report  *Report
	granule meteredGranule
}

func (c *meteredCursor) Next() (Granule, error) {
	g, err := c.Cursor.Next()
	if err != nil {
		return nil, err
	}
	c.report.Granules++
	c.granule = meteredGranule{Granule: g, report: c.report}
	return &c.granule, nil
}

type meteredGranule struct {
	Granule
	report *Report
}

func (g *meteredGranule) Times() ([]int64, error) {
	times, err := g.Granule.Times()
	g.report.Rows += int64(len(times))
	return times, err
}

func (g *meteredGranule) Column(field int) (*model.Column, error) {
	c, err := g.Granule.Column(field)
	if err == nil && c.Type.Valid() {
		g.report.Blocks[c.Type]++
		g.report.BlockBytes[c.Type] += decodedBytes(c)
	}
	return c, err
}
