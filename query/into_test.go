package query

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/memory"
)

// sizes is a Writer that keeps the sizes of what it is sent.
type sizes struct {
	rows []int
	keys []string
	err  error
}

// Write implements Writer.
func (s *sizes) Write(_ context.Context, _ Destination, b *model.Batch) error {
	s.rows = append(s.rows, b.Rows())
	for i := range b.Series {
		s.keys = append(s.keys, string(b.Series[i].Key))
	}
	return s.err
}

// piece is n rows of a series with a text of a size.
func piece(tags model.Tags, n, size int) *exec.Rows {
	c := model.Column{Field: model.Field{Name: "s", Type: model.String}}
	r := &exec.Rows{Name: "m", Tags: tags, Columns: []string{"time", "s"}}
	for i := range n {
		r.Times = append(r.Times, int64(i))
		c.AppendText([]byte(strings.Repeat("x", size)))
	}
	r.Values = []model.Column{c}
	return r
}

func TestBatchesOfIntoAreBounded(t *testing.T) {
	for _, c := range []struct {
		rows, size int
		want       string
	}{{25_000, 1, "[10000 10000 5000]"}, {3000, 4096, "[2045 955]"}} {
		w := &sizes{}
		to := &into{writer: w}
		if err := to.add(t.Context(), piece(nil, c.rows, c.size)); err != nil {
			t.Fatal(err)
		}
		if err := to.finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(w.rows); got != c.want || to.written != int64(c.rows) {
			t.Errorf("%d rows of %d bytes came in batches of %s, %d counted, want %s", c.rows, c.size, got, to.written, c.want)
		}
	}
}

func TestIntoEndsWithItsQueryAndWithItsGuard(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	w := &sizes{}
	to := &into{writer: w}
	if err := to.add(ctx, piece(nil, 5, 1)); err != nil {
		t.Fatal(err)
	}
	cancel(model.ErrInterrupted)
	if err := to.finish(ctx); !errors.Is(err, model.ErrInterrupted) {
		t.Errorf("after the query was killed: %v", err)
	}
	deposed := errors.New("deposed")
	to = &into{writer: w, guard: func() error { return deposed }}
	if err := to.add(t.Context(), piece(nil, intoRows, 1)); !errors.Is(err, deposed) {
		t.Errorf("with a guard that refuses: %v", err)
	}
	if len(w.rows) > 0 {
		t.Errorf("batches of %v were written", w.rows)
	}
}

func TestPointsThatCannotBeStoredAreLeftOutAndCounted(t *testing.T) {
	w := &sizes{}
	to := &into{writer: w}
	long := model.Tags{{Key: "t", Value: strings.Repeat("x", maxKeyBytes)}}
	far := piece(model.Tags{{Key: "t", Value: ""}}, 2, 1)
	far.Times[0] = model.MaxTime + 1
	for _, r := range []*exec.Rows{piece(long, 3, 1), far} {
		if err := to.add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(w.rows, w.keys) != "[1] [m]" || to.written != 1 || to.dropped != 4 || !strings.HasPrefix(to.why, "max key length") {
		t.Errorf("wrote %v of %q, %d counted, %d dropped since %s", w.rows, w.keys, to.written, to.dropped, to.why)
	}
}

func TestWhatIsHeldIsBounded(t *testing.T) {
	w := &sizes{}
	to := &into{writer: w, name: "m", hold: true}
	var err error
	for range 10 {
		if err = to.add(t.Context(), piece(nil, 1000, 10_000)); err != nil {
			break
		}
	}
	if !errors.Is(err, model.ErrTooLarge) || len(w.rows) > 0 {
		t.Errorf("it gave %v and wrote batches of %v", err, w.rows)
	}
}

func TestWhatIsHeldCountsAsMemoryOfTheQuery(t *testing.T) {
	const each = 10_000 * 1000 // bytes of text of a batch
	w := &sizes{}
	budget := memory.NewPool(0, nil).Budget(4 * each)
	defer budget.Close()
	to := &into{writer: w, name: "m", hold: true, account: budget.Account()}
	for range 3 {
		if err := to.add(t.Context(), piece(nil, 10_000, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if n := budget.Used(); n < 2*each || n > 4*each {
		t.Errorf("%d bytes are counted, of %d", n, 3*each)
	}
	if err := to.finish(t.Context()); err != nil || len(w.rows) == 0 {
		t.Errorf("it gave %v and wrote batches of %v", err, w.rows)
	}
	if n := budget.Used(); n != 0 {
		t.Errorf("%d bytes are counted when all has been written", n)
	}

	w = &sizes{}
	to = &into{writer: w, name: "m", hold: true, account: budget.Account()}
	var err error
	for i := 0; i < 6 && err == nil; i++ {
		err = to.add(t.Context(), piece(nil, 10_000, 1000))
	}
	if !errors.Is(err, model.ErrTooLarge) || !strings.Contains(fmt.Sprint(err), "max-select-memory") || len(w.rows) > 0 {
		t.Errorf("over the budget it gave %v and wrote batches of %v", err, w.rows)
	}
}
