package plan_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/varvedb/varve/query/plan"
)

func TestWindowsOfUTCTileTheTimes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := plan.Window{Every: rapid.Int64Range(1, 1e15).Draw(rt, "every")}
		w.Offset = rapid.Int64Range(-w.Every+1, w.Every-1).Draw(rt, "offset")
		at := rapid.Int64Range(-1e18, 1e18).Draw(rt, "t")
		start, end := w.Bounds(at)
		if start > at || at >= end || end-start != w.Every || (start-w.Offset)%w.Every != 0 {
			rt.Fatalf("window of %d is [%d, %d)", at, start, end)
		}
		if s, _ := w.Bounds(end); s != end {
			rt.Fatalf("the window after [%d, %d) starts at %d", start, end, s)
		}
		if next, _ := w.Next(start, 0, false); next != end {
			rt.Fatalf("Next of %d is %d, want %d", start, next, end)
		}
	})
}

func TestDaysOfAZoneBeginAtItsMidnight(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Skip(err)
		}
		w := plan.Window{Every: int64(24 * time.Hour), Zone: zone}
		for at := time.Date(2023, 1, 1, 0, 30, 0, 0, time.UTC); at.Year() == 2023; at = at.Add(47 * time.Minute) {
			start, end := w.Bounds(at.UnixNano())
			s, e := time.Unix(0, start).In(zone), time.Unix(0, end).In(zone)
			if s.Hour() != 0 || s.Minute() != 0 || e.Hour() != 0 || e.Minute() != 0 || s.YearDay() != at.In(zone).YearDay() || start > at.UnixNano() || end <= at.UnixNano() {
				t.Fatalf("%s: the day of %s is %s to %s", name, at.In(zone), s, e)
			}
		}
	}
}
