package coordinator

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

// unhashed is a batch as a SELECT INTO makes it.
func unhashed(at time.Time) *model.Batch {
	b := batch([]row{{"v": 1.0}}, at)
	b.Series[0].Hash = model.SeriesHash{}
	return b
}

func TestIntoNamesSeriesByTheHashesOfTheCluster(t *testing.T) {
	c := newCluster(t, DefaultConfig(), &peer{})
	if err := NewInto(c.writer).Write(t.Context(), query.Destination{Database: "db"}, unhashed(time.Now())); err != nil {
		t.Fatal(err)
	}
	want := model.HashSeriesKey([]byte("m,t=x"), c.store.Snapshot().HashSeed())
	if all := c.peers[0].all(); len(all) != 1 || all[0].Series[0].Hash != want {
		t.Errorf("the owner has %+v, want one batch with the hash %v", all, want)
	}
}

func TestIntoHasTheErrorsOfAWrite(t *testing.T) {
	c := newCluster(t, DefaultConfig(), &peer{})
	for _, x := range []struct {
		to   query.Destination
		want string
		kind error
	}{
		{query.Destination{Database: "db", Policy: "nosuch"}, "retention policy not found: nosuch", ErrPolicyNotFound},
		{query.Destination{Database: "nosuch"}, `database not found: "nosuch"`, model.ErrNotFound},
		{query.Destination{Database: "db", Level: "some"}, "invalid consistency level", model.ErrInvalid},
	} {
		err := NewInto(c.writer).Write(t.Context(), x.to, unhashed(time.Now()))
		if err == nil || err.Error() != x.want || !errors.Is(err, x.kind) {
			t.Errorf("a write to %+v gave %v, want %s", x.to, err, x.want)
		}
	}
}

func TestIntoDoesNotOutliveItsQuery(t *testing.T) {
	stuck := make(chan struct{})
	c := newCluster(t, DefaultConfig(), &peer{write: func(context.Context, data.ShardRef, *model.Batch) error {
		<-stuck
		return nil
	}})
	defer close(stuck)
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(model.ErrInterrupted) })
	start := time.Now()
	err := NewInto(c.writer).Write(ctx, query.Destination{Database: "db"}, unhashed(start))
	if took := time.Since(start); !errors.Is(err, model.ErrInterrupted) || took > 2*time.Second {
		t.Errorf("a write whose query was killed gave %v after %v", err, took)
	}
}
