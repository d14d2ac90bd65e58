package exec

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/varvedb/varve/model"
)

// Tally is what the fragments of a request have read so far. It goes with the
// context, and is safe for concurrent use.
type Tally struct {
	Series, Granules, Rows atomic.Int64
	// Blocks is the columns that were decoded, and Bytes what they took in memory.
	Blocks, Bytes atomic.Int64
	Busy          atomic.Int64 // nanoseconds that fragments ran, without their waits for the receiver
}

type tallyKey struct{}

// WithTally gives a context whose fragments are counted by t.
func WithTally(ctx context.Context, t *Tally) context.Context {
	return context.WithValue(ctx, tallyKey{}, t)
}

// TallyOf gives the tally of a context, or nil.
func TallyOf(ctx context.Context) *Tally {
	t, _ := ctx.Value(tallyKey{}).(*Tally)
	return t
}

// Report gives what was counted as a report, which another node can be sent.
func (t *Tally) Report() *Report {
	r := &Report{Series: t.Series.Load(), Granules: t.Granules.Load(), Rows: t.Rows.Load(), Running: time.Duration(t.Busy.Load())}
	// Which type they were of is not told.
	r.Blocks[model.Float], r.BlockBytes[model.Float] = t.Blocks.Load(), t.Bytes.Load()
	return r
}

// Add counts what another node reports.
func (t *Tally) Add(r *Report) {
	t.Series.Add(r.Series)
	t.Granules.Add(r.Granules)
	t.Rows.Add(r.Rows)
	t.Busy.Add(int64(r.Running))
	for i := range r.Blocks {
		t.Blocks.Add(r.Blocks[i])
		t.Bytes.Add(r.BlockBytes[i])
	}
}

// tallied has a run counted by t. end must follow.
func (r *runner) tallied(t *Tally) (end func()) {
	start, waited, emit := time.Now(), time.Duration(0), r.emit
	r.src = talliedSource{r.src, t}
	r.emit = func(p *Partial) error {
		handed := time.Now()
		err := emit(p)
		waited += time.Since(handed)
		return err
	}
	return func() {
		for i := range r.groups {
			t.Series.Add(int64(len(r.groups[i].series)))
		}
		t.Busy.Add(int64(time.Since(start) - waited))
	}
}

// talliedSource counts what is read of a source. It is counted by granule, not
// by row: that costs nothing beside decoding one.
type talliedSource struct {
	Source
	tally *Tally
}

func (s talliedSource) Scan(o ScanOptions) Cursor {
	return &talliedCursor{Cursor: s.Source.Scan(o), tally: s.tally}
}

type talliedCursor struct {
	Cursor
	tally   *Tally
	granule talliedGranule
}

func (c *talliedCursor) Next() (Granule, error) {
	g, err := c.Cursor.Next()
	if err != nil {
		return nil, err
	}
	c.tally.Granules.Add(1)
	c.granule = talliedGranule{Granule: g, tally: c.tally}
	return &c.granule, nil
}

type talliedGranule struct {
	Granule
	tally *Tally
}

func (g *talliedGranule) Times() ([]int64, error) {
	times, err := g.Granule.Times()
	g.tally.Rows.Add(int64(len(times)))
	return times, err
}

func (g *talliedGranule) Column(field int) (*model.Column, error) {
	c, err := g.Granule.Column(field)
	if err == nil {
		g.tally.Blocks.Add(1)
		g.tally.Bytes.Add(decodedBytes(c))
	}
	return c, err
}

// decodedBytes gives what a column takes in memory.
func decodedBytes(c *model.Column) int64 { return int64(8*len(c.Bits) + 4*len(c.Ends) + len(c.Text)) }
