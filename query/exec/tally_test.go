package exec_test

import (
	"testing"

	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/exec/exectest"
	"github.com/varvedb/varve/query/plan"
)

func TestATallyCountsWhatIsRead(t *testing.T) {
	one := oneShard(t, exectest.Options{GranuleRows: 2}, cpu...)
	for _, workers := range []int{0, 3} {
		var tally exec.Tally
		ctx := exec.WithTally(t.Context(), &tally)
		f := bind(t, "SELECT f FROM cpu GROUP BY h", plan.Options{Now: now}, one).Fragments()[0]
		rows := 0
		err := exec.NewWorkers(workers).RunFragment(ctx, one.src, f, func(p *exec.Partial) error {
			rows += len(p.Times)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if tally.Series.Load() < 1 || tally.Rows.Load() < int64(rows) || rows == 0 || tally.Blocks.Load() < 1 || tally.Bytes.Load() < 8*int64(rows) || tally.Busy.Load() <= 0 {
			t.Errorf("with %d workers %d rows, and a tally of %d series, %d rows, %d blocks, %d bytes, %d ns",
				workers, rows, tally.Series.Load(), tally.Rows.Load(), tally.Blocks.Load(), tally.Bytes.Load(), tally.Busy.Load())
		}
		var there exec.Tally
		there.Add(tally.Report())
		if there.Rows.Load() != tally.Rows.Load() || there.Blocks.Load() != tally.Blocks.Load() || there.Bytes.Load() != tally.Bytes.Load() ||
			there.Series.Load() != tally.Series.Load() || there.Busy.Load() != tally.Busy.Load() {
			t.Error("a tally comes out of its report as another")
		}
	}
}
