package ingest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/varvedb/varve/coordinator"
	"github.com/varvedb/varve/coordinator/quota"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// Writer stores batches. *coordinator.Writer is one.
type Writer interface {
	Write(ctx context.Context, r coordinator.WriteRequest) error
}

// Databases makes the databases that points go to. *meta.Store is one.
type Databases interface {
	Database(ctx context.Context, name string) (*meta.Database, error)
	Policy(ctx context.Context, database, policy string) (*meta.Database, *meta.Policy, error)
	CreateDatabase(ctx context.Context, name string, spec *meta.PolicySpec) error
	CreatePolicy(ctx context.Context, database string, spec meta.PolicySpec, makeDefault bool) error
}

// delivery writes the batches of one listener.
type delivery struct {
	to        target
	level     coordinator.Level
	writer    Writer
	databases Databases
	quotas    *quota.Keeper
}

// Trouble that passes is waited out this long for a batch, with pauses that grow
// from one to the other.
const (
	retryFor   = 30 * time.Second
	firstPause = 100 * time.Millisecond
	lastPause  = 3 * time.Second
)

// deliver writes a batch, again and again while the trouble may pass. Points that
// are refused for their content are a *coordinator.PartialWriteError.
func (d *delivery) deliver(ctx context.Context, b *model.Batch) error {
	ctx, cancel := context.WithTimeout(ctx, retryFor)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if ctx.Err() != nil { // the server stops
			return model.ErrClosed
		}
		err := d.write(ctx, clone(b)) // the Writer takes over what it is given
		if err == nil || !passing(err) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// write makes the database where it is missing, and writes a batch once.
func (d *delivery) write(ctx context.Context, b *model.Batch) error {
	if err := d.quotas.MayWrite("", d.to.database); err != nil {
		return err
	}
	if err := d.ensure(ctx); err != nil {
		return err
	}
	points := b.Rows()
	err := d.writer.Write(ctx, coordinator.WriteRequest{Database: d.to.database, Policy: d.to.policy, Batch: b, Level: d.level})
	var partial *coordinator.PartialWriteError
	if err == nil || errors.As(err, &partial) {
		d.quotas.Wrote("", d.to.database, points)
	}
	return err
}

// ensure makes the database and the retention policy where they are missing. The
// policy becomes the default of a new database only.
func (d *delivery) ensure(ctx context.Context) error {
	_, _, err := d.databases.Policy(ctx, d.to.database, d.to.policy)
	if !errors.Is(err, model.ErrNotFound) {
		return err
	}
	spec := meta.PolicySpec{Name: d.to.policy}
	_, err = d.databases.Database(ctx, d.to.database)
	switch {
	case errors.Is(err, model.ErrNotFound) && d.to.policy == "":
		return d.databases.CreateDatabase(ctx, d.to.database, nil)
	case errors.Is(err, model.ErrNotFound):
		return d.databases.CreateDatabase(ctx, d.to.database, &spec)
	case err != nil || d.to.policy == "":
		return err
	}
	return d.databases.CreatePolicy(ctx, d.to.database, spec, false)
}

// passing reports whether a later try may succeed. A database that is not found
// was dropped a moment ago: it is made again.
func passing(err error) bool {
	return errors.Is(err, model.ErrUnavailable) || errors.Is(err, model.ErrOverloaded) ||
		errors.Is(err, model.ErrNotFound) || errors.Is(err, model.ErrConflict)
}

// clone gives a copy of b that shares only the keys of series with it.
func clone(b *model.Batch) *model.Batch {
	c := &model.Batch{Series: slices.Clone(b.Series), Tables: slices.Clone(b.Tables)}
	for i := range c.Tables {
		t := &c.Tables[i]
		t.Series, t.Times, t.Columns = slices.Clone(t.Series), slices.Clone(t.Times), slices.Clone(t.Columns)
		for k := range t.Columns {
			col := &t.Columns[k]
			col.Present, col.Bits = slices.Clone(col.Present), slices.Clone(col.Bits)
			col.Ends, col.Text = slices.Clone(col.Ends), slices.Clone(col.Text)
		}
	}
	return c
}
