package querytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

// collected is a sink that keeps the times of the rows and the numbers of the
// first column.
type collected struct {
	times  []int64
	counts []uint64
	err    error
}

func (c *collected) Begin(query.Statement) error { return nil }

func (c *collected) Rows(r *exec.Rows) error {
	c.times = append(c.times, r.Times...)
	for i := range r.Len() {
		c.counts = append(c.counts, r.Values[0].Bits[i])
	}
	return nil
}

func (c *collected) End(o query.Outcome) error {
	c.err = o.Err
	return nil
}

// Around changes of clocks every point must be in one window, the one that
// begins before it, and the windows that fill makes must be those of the points.
func TestEveryPointIsInOneWindowWhereAClockChanges(t *testing.T) {
	r := seeded.Rand(t)
	type change struct {
		zone string
		at   time.Time
	}
	var changes []change
	for _, zone := range []string{
		"Europe/Berlin", "America/New_York", "America/St_Johns", "America/Havana", "Africa/Cairo", "Africa/Casablanca", "Asia/Beirut",
		"Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Antarctica/Troll", "America/Cambridge_Bay", "America/Sao_Paulo", "Asia/Pyongyang",
	} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Skip(err)
		}
		_, end := time.Date(2000, 1, 1, 0, 0, 0, 0, loc).ZoneBounds()
		for ; !end.IsZero() && end.Year() < 2038; _, end = end.ZoneBounds() {
			changes = append(changes, change{zone, end})
		}
	}
	windows := []string{
		"10m", "20m, 7m", "30m", "1h", "1h, -20m", "90m", "2h", "6h", "12h, 5h", "1d", "1d, -8h", "2d", "1w", "1w, 3d", "30d",
		"1mo", "1mo, 6h", "1q", "1y",
	}
	for range 150 {
		c, window := changes[r.IntN(len(changes))], windows[r.IntN(len(windows))]
		s := newSession(t, Options{ShardDuration: time.Hour})
		var lines strings.Builder
		var points []int64
		for at := c.at.Add(-3 * time.Hour); at.Before(c.at.Add(27 * time.Hour)); at = at.Add(time.Duration(5+r.IntN(30)) * time.Minute) {
			points = append(points, at.UnixNano())
			fmt.Fprintf(&lines, "m v=1 %d\n", at.UnixNano())
		}
		if err := s.db.Write("d", "", []byte(lines.String())); err != nil {
			t.Fatal(err)
		}
		run := func(rest string) collected {
			q := fmt.Sprintf("SELECT count(v) FROM m WHERE time >= %d AND time <= %d GROUP BY time(%s) %s TZ('%s')", points[0], points[len(points)-1], window, rest, c.zone)
			var out collected
			if err := s.db.Query(query.Request{Text: q, Database: "d", Now: Now}, &out); err != nil || out.err != nil {
				t.Fatalf("%s: %v, %v", q, err, out.err)
			}
			return out
		}
		all, backwards, some := run(""), run("ORDER BY time DESC"), run("fill(none)")
		what := fmt.Sprintf("time(%s) in %s around %s", window, c.zone, c.at)
		next := 0
		for i, start := range all.times {
			if i > 0 && start <= all.times[i-1] {
				t.Errorf("%s: window %s comes after %s", what, time.Unix(0, start), time.Unix(0, all.times[i-1]))
			}
			var want uint64
			for ; next < len(points) && (i+1 == len(all.times) || points[next] < all.times[i+1]); next++ {
				want++
			}
			if all.counts[i] != want {
				t.Errorf("%s: %d points in the window from %s, want %d", what, all.counts[i], time.Unix(0, start).In(c.at.Location()), want)
			}
		}
		slices.Reverse(backwards.times)
		slices.Reverse(backwards.counts)
		if !slices.Equal(all.times, backwards.times) || !slices.Equal(all.counts, backwards.counts) {
			t.Errorf("%s: backwards the windows are others", what)
		}
		i := 0
		for k, start := range all.times {
			if all.counts[k] == 0 {
				continue
			}
			if i == len(some.times) || some.times[i] != start || some.counts[i] != all.counts[k] {
				t.Errorf("%s: fill(none) has no row of %s", what, time.Unix(0, start))
			}
			i++
		}
		if i != len(some.times) {
			t.Errorf("%s: fill(none) has %d rows, want %d", what, len(some.times), i)
		}
	}
}
