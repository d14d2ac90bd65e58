package continuous

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/query"
)

// runs gives the ranges of the runs of a query that was made at one time and is
// looked at each second up to another, or only at the end.
func runs(t *testing.T, resample, group, from, to string, each bool) string {
	t.Helper()
	s := newTestSchedule(t, resample, group)
	at, end := clock(t, from), clock(t, to)
	var out []string
	add := func(next, at int64) {
		if over := s.covers(next, at); !over.Empty() {
			out = append(out, show(at)+"="+show(over.Min)+"-"+show(over.Max+1))
		}
	}
	add(at, at)
	mark := s.mark(at)
	if !each {
		at = end
	}
	for ; at <= end; at += int64(time.Second) {
		for next := s.next(mark); next <= at; next = s.next(mark) {
			until := s.until(next, at, 2)
			add(next, until)
			mark = s.mark(until)
		}
	}
	return strings.Join(out, " ")
}

func clock(t *testing.T, text string) int64 {
	t.Helper()
	at, err := time.Parse("02 15:04:05", text)
	if err != nil {
		t.Fatal(err)
	}
	return time.Date(2026, 3, at.Day(), at.Hour(), at.Minute(), at.Second(), 0, time.UTC).UnixNano()
}

func show(at int64) string {
	u := time.Unix(0, at).UTC()
	if u.Hour() == 0 && u.Minute() == 0 || u.Day() > 20 {
		return u.Format("02/15:04")
	}
	return u.Format("15:04:05")
}

// The ranges are those that InfluxDB 1.8.10 logs, but where it leaves one out.
func TestRunsCoverWhatInfluxDBCovers(t *testing.T) {
	for _, c := range []struct{ resample, group, from, to, want string }{
		{
			"", "time(1m)", "02 10:00:20", "02 10:02:30",
			"10:01:00=10:00:00-10:01:00 10:02:00=10:01:00-10:02:00",
		},
		{
			"", "time(1m, 15s)", "02 10:00:20", "02 10:02:30",
			"10:01:15=10:00:15-10:01:15 10:02:15=10:01:15-10:02:15",
		},
		{ // a window is computed again while it grows
			"RESAMPLE EVERY 30s", "time(1m)", "02 10:00:20", "02 10:01:40",
			"10:00:30=10:00:00-10:01:00 10:01:00=10:00:00-10:01:00 10:01:30=10:01:00-10:02:00",
		},
		{ // all windows since the run before
			"RESAMPLE EVERY 2m", "time(1m)", "02 10:00:20", "02 10:04:30",
			"10:00:20=09:59:00-10:00:00 10:02:00=10:00:00-10:02:00 10:04:00=10:02:00-10:04:00",
		},
		{
			"RESAMPLE FOR 3m", "time(1m)", "02 10:00:20", "02 10:02:30",
			"10:00:20=09:58:00-10:00:00 10:01:00=09:58:00-10:01:00 10:02:00=09:59:00-10:02:00",
		},
		{
			"RESAMPLE EVERY 2m FOR 3m", "time(1m)", "02 10:00:20", "02 10:04:30",
			"10:00:20=09:58:00-10:00:00 10:02:00=09:59:00-10:02:00 10:04:00=10:01:00-10:04:00",
		},
		{ // InfluxDB 1.8.10 leaves out 10:02 here
			"RESAMPLE EVERY 90s", "time(1m)", "02 10:00:20", "02 10:04:40",
			"10:00:20=09:59:00-10:00:00 10:01:30=10:00:00-10:01:00 10:03:00=10:01:00-10:03:00 10:04:30=10:03:00-10:04:00",
		},
		{ // InfluxDB 1.8.10 computes 10:00 only once here, before it has ended
			"RESAMPLE EVERY 40s", "time(1m)", "02 10:00:20", "02 10:02:10",
			"10:00:40=10:00:00-10:01:00 10:01:20=10:00:00-10:01:00 10:02:00=10:01:00-10:02:00",
		},
		{ // the day on which the clock is set forward has 23 hours
			"", "time(1d) tz('Europe/Berlin')", "28 12:00:00", "30 12:00:00",
			"28/23:00=27/23:00-28/23:00 29/22:00=28/23:00-29/22:00",
		},
	} {
		if got := runs(t, c.resample, c.group, c.from, c.to, true); got != c.want {
			t.Errorf("%s %s:\n got %s\nwant %s", c.resample, c.group, got, c.want)
		}
	}
}

func TestAnOutageIsMadeUpForAFewWindowsAtATime(t *testing.T) {
	for _, c := range []struct{ resample, want string }{
		{"", "10:03:00=10:00:00-10:03:00 10:06:00=10:03:00-10:06:00 10:07:30=10:06:00-10:07:00"},
		{"RESAMPLE EVERY 2m", "10:06:00=10:00:00-10:06:00"},
		{"RESAMPLE EVERY 30s", "10:02:00=10:00:00-10:02:00 10:04:00=10:02:00-10:04:00 10:06:00=10:04:00-10:06:00 10:07:30=10:06:00-10:08:00"},
	} {
		got := runs(t, c.resample, "time(1m)", "02 10:00:00", "02 10:07:30", false)
		// The first run is of the present, before the outage.
		if _, rest, ok := strings.Cut(got, " "); strings.HasPrefix(got, "10:00:00=") && ok {
			got = rest
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.resample, got, c.want)
		}
	}
}

func TestRunsFollowTheCalendar(t *testing.T) {
	for _, c := range []struct{ resample, group, from, to, want string }{
		{ // February is short, and the clock in Berlin is set forward in March
			"", "time(1mo) tz('Europe/Berlin')", "2026-01-20T12:00:00Z", "2026-05-02T00:00:00Z",
			"2026-01-31T23:00:00Z=2025-12-31T23:00:00Z/2026-01-31T23:00:00Z " +
				"2026-02-28T23:00:00Z=2026-01-31T23:00:00Z/2026-02-28T23:00:00Z " +
				"2026-03-31T22:00:00Z=2026-02-28T23:00:00Z/2026-03-31T22:00:00Z " +
				"2026-04-30T22:00:00Z=2026-03-31T22:00:00Z/2026-04-30T22:00:00Z",
		},
		{
			"", "time(1q)", "2026-01-20T12:00:00Z", "2026-07-02T00:00:00Z",
			"2026-04-01T00:00:00Z=2026-01-01T00:00:00Z/2026-04-01T00:00:00Z 2026-07-01T00:00:00Z=2026-04-01T00:00:00Z/2026-07-01T00:00:00Z",
		},
		{ // a month is computed while it grows, and no month before it has begun
			"RESAMPLE EVERY 10d", "time(1mo)", "2026-02-25T00:00:00Z", "2026-04-02T00:00:00Z",
			"2026-02-26T00:00:00Z=2026-02-01T00:00:00Z/2026-03-01T00:00:00Z " +
				"2026-03-08T00:00:00Z=2026-02-01T00:00:00Z/2026-03-01T00:00:00Z " +
				"2026-03-18T00:00:00Z=2026-03-01T00:00:00Z/2026-04-01T00:00:00Z " +
				"2026-03-28T00:00:00Z=2026-03-01T00:00:00Z/2026-04-01T00:00:00Z",
		},
		{
			"RESAMPLE FOR 62d", "time(1mo)", "2026-02-25T00:00:00Z", "2026-04-02T00:00:00Z",
			"2026-03-01T00:00:00Z=2026-01-01T00:00:00Z/2026-03-01T00:00:00Z 2026-04-01T00:00:00Z=2026-02-01T00:00:00Z/2026-04-01T00:00:00Z",
		},
	} {
		s, at, end := newTestSchedule(t, c.resample, c.group), instant(t, c.from), instant(t, c.to)
		var got []string
		for next := s.next(s.mark(at)); next <= end; next = s.next(s.mark(next)) {
			over := s.covers(next, next)
			got = append(got, fmt.Sprintf("%s=%s/%s", stamp(next), stamp(over.Min), stamp(over.Max+1)))
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%s %s:\n got %s\nwant %s", c.resample, c.group, got, c.want)
		}
	}
}

func newTestSchedule(t *testing.T, resample, group string) schedule {
	t.Helper()
	q, err := query.ParseContinuous("d", fmt.Sprintf("CREATE CONTINUOUS QUERY q ON d %s BEGIN SELECT mean(v) INTO m FROM src GROUP BY %s END", resample, group))
	if err != nil {
		t.Fatal(err)
	}
	return newSchedule(q)
}

func instant(t *testing.T, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixNano()
}

func stamp(at int64) string { return time.Unix(0, at).UTC().Format(time.RFC3339) }

// Whatever a query's times, its zone and how long nobody looked at it, each
// window that ends after its first run is computed once it has ended.
func TestNoWindowIsLeftOut(t *testing.T) {
	groups := []string{
		"time(1m)", "time(7m)", "time(1h)", "time(90m)", "time(1h,10m)", "time(1d)", "time(1h) tz('Europe/Berlin')",
		"time(1d) tz('Europe/Berlin')", "time(6h) tz('America/New_York')", "time(30m) tz('Australia/Lord_Howe')",
		"time(1mo)", "time(1q) tz('Europe/Berlin')",
	}
	resamples := []string{"", "EVERY 30s", "EVERY 20m", "EVERY 45m", "EVERY 2h", "EVERY 5h", "FOR 1d", "EVERY 45m FOR 1h", "EVERY 10m FOR 2d"}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, group := range groups {
		for _, resample := range resamples {
			if resample != "" {
				resample = "RESAMPLE " + resample
			}
			text := fmt.Sprintf("CREATE CONTINUOUS QUERY q ON d %s BEGIN SELECT mean(v) INTO m FROM src GROUP BY %s END", resample, group)
			q, err := query.ParseContinuous("d", text)
			if err != nil {
				if !strings.Contains(err.Error(), "FOR duration must be") {
					t.Error(err)
				}
				continue
			}
			s := newSchedule(q)
			for range 5 {
				// Through a change of the clocks.
				at := time.Date(2026, []time.Month{3, 4, 10, 11}[rng.IntN(4)], 1+rng.IntN(28), rng.IntN(24), rng.IntN(60), rng.IntN(60), 0, time.UTC).UnixNano()
				begin, mark := at, s.mark(at)
				done := map[int64]bool{} // starts of windows that were computed in full
				for runs := 0; runs < 100 && at-begin < int64(20*365*24*time.Hour); {
					at += rng.Int64N(max(s.runs.Every, s.windows.Every)) * []int64{1, 2, 2, 20}[rng.IntN(4)]
					for next := s.next(mark); next <= at && runs < 100; next = s.next(mark) {
						runs++
						until := s.until(next, at, rng.IntN(5))
						over := s.covers(next, until)
						for w := over.Min; w < over.Max; {
							start, end := s.windows.Bounds(w)
							if end <= until && start >= over.Min && end <= over.Max+1 {
								done[start] = true
							}
							w = end
						}
						if m := s.mark(until); m <= mark {
							t.Fatalf("%s: mark %s does not move", text, time.Unix(0, m).UTC())
						} else {
							mark = m
						}
					}
				}
				_, from := s.windows.Bounds(begin)
				for w := begin; ; {
					start, end := s.windows.Bounds(w)
					if end > mark {
						break
					}
					if w > from && !done[start] {
						t.Errorf("%s: begun %s, mark %s: window %s - %s is left out", text, time.Unix(0, begin).UTC(), time.Unix(0, mark).UTC(), time.Unix(0, start).UTC(), time.Unix(0, end).UTC())
						break
					}
					w = end
				}
			}
		}
	}
}
