package coordinator

import (
	"context"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// Into stores the rows of SELECT … INTO. It implements query.Writer.
type Into struct {
	writer *Writer
}

var _ query.Writer = (*Into)(nil)

// NewInto gives what stores by w.
func NewInto(w *Writer) *Into { return &Into{writer: w} }

// Write implements query.Writer.
func (i *Into) Write(ctx context.Context, to query.Destination, b *model.Batch) error {
	level, err := ParseLevel(to.Level)
	if err != nil {
		return err
	}
	seed := i.writer.meta.Snapshot().HashSeed()
	for k := range b.Series {
		b.Series[k].Hash = model.HashSeriesKey(b.Series[k].Key, seed)
	}
	written := make(chan error, 1)
	if !i.writer.tasks.start(func() {
		written <- i.writer.Write(ctx, WriteRequest{Database: to.Database, Policy: to.Policy, Batch: b, Level: level})
	}) {
		return model.ErrClosed
	}
	select {
	case err := <-written:
		return err
	case <-ctx.Done():
		return context.Cause(ctx) // the write goes on: half of it may be stored
	}
}
