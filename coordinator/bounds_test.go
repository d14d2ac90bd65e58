package coordinator

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

func TestRowsOutsideTheWriteWindowAreDropped(t *testing.T) {
	c := newCluster(t, DefaultConfig(), &peer{})
	at := regexp.MustCompile(`\d{4}-[-0-9T:.]*Z`)
	now := time.Now()
	later, earlier, old := now.Add(90*time.Minute), now.Add(-3*time.Hour), now.Add(-40*time.Hour)
	day := 24 * time.Hour
	const dropped = "partial write: dropped "
	for i, test := range []struct {
		future, past time.Duration
		times        []time.Time
		want         string
		stored       int
	}{
		{time.Hour, 0, []time.Time{now, earlier}, "", 2},
		{time.Hour, 2 * time.Hour, []time.Time{now, later, earlier, old}, dropped +
			"1 points outside retention policy of duration 24h0m0s and 2 points outside write window (-2h0m0s to 1h0m0s)" +
			" - oldest point m,t=x at T dropped because it violates a Retention Policy Lower Bound at T," +
			" newest point m,t=x at T dropped because it violates a Write Window Upper Bound at T dropped=3", 1},
		{time.Hour, 0, []time.Time{later}, dropped +
			"0 points outside retention policy of duration 24h0m0s and 1 points outside write window (1h0m0s)" +
			" - oldest point m,t=x at T dropped because it violates a Write Window Upper Bound at T," +
			" newest point m,t=x at T dropped because it violates a Write Window Upper Bound at T dropped=1", 0},
		{0, 2 * time.Hour, []time.Time{later, earlier}, dropped +
			"0 points outside retention policy of duration 24h0m0s and 1 points outside write window (-2h0m0s)" +
			" - oldest point m,t=x at T dropped because it violates a Write Window Lower Bound at T," +
			" newest point m,t=x at T dropped because it violates a Write Window Lower Bound at T dropped=1", 1},
		{1 << 62, 1 << 62, []time.Time{later, earlier}, "", 2},
	} {
		name := string(rune('a' + i))
		spec := meta.PolicySpec{Name: name, Duration: &day, FutureLimit: test.future, PastLimit: test.past}
		if err := c.store.CreatePolicy(t.Context(), "db", spec, true); err != nil {
			t.Fatal(err)
		}
		before := len(c.peers[0].all())
		rows := make([]row, len(test.times))
		for i := range rows {
			rows[i] = row{"v": float64(i)}
		}
		err := c.write(t, batch(rows, test.times...), Default)
		got := ""
		if err != nil {
			got = at.ReplaceAllString(err.Error(), "T")
		}
		if got != test.want || err != nil && !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%d: Write gave\n%s\nwant\n%s", i, got, test.want)
		}
		stored := 0
		for _, b := range c.peers[0].all()[before:] {
			stored += b.Rows()
		}
		if stored != test.stored {
			t.Errorf("%d: %d rows were sent, want %d", i, stored, test.stored)
		}
	}
}
