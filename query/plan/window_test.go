package plan_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/varvedb/varve/model"
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
		if next := w.Next(start, false); next != end {
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

func TestWindowsOfTheCalendarTileTheTimes(t *testing.T) {
	zones := []*time.Location{nil}
	// Havana's clocks change at midnight, some of them on the first of a month.
	for _, name := range []string{"Europe/Berlin", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Skip(err)
		}
		zones = append(zones, zone)
	}
	rapid.Check(t, func(rt *rapid.T) {
		months := rapid.SampledFrom([]int{1, 2, 3, 5, 12, 24}).Draw(rt, "months")
		w := plan.Window{Months: months, Every: int64(months) * int64(730*time.Hour), Zone: rapid.SampledFrom(zones).Draw(rt, "zone")}
		w.Offset = rapid.Int64Range(-w.Every+1, w.Every-1).Draw(rt, "offset")
		at := rapid.Int64Range(-9e18, 9e18).Draw(rt, "t")
		start, end := w.Bounds(at)
		if start > at || at >= end {
			rt.Fatalf("window of %d is [%d, %d)", at, start, end)
		}
		if s, e := w.Bounds(end - 1); s != start || e != end {
			rt.Fatalf("[%d, %d) ends with a nanosecond of [%d, %d)", start, end, s, e)
		}
		if s, _ := w.Bounds(end); s != end {
			rt.Fatalf("the window after [%d, %d) starts at %d", start, end, s)
		}
		next := w.Next(start, false)
		back := w.Next(end, true)
		if next != end || back != start {
			rt.Fatalf("after [%d, %d) comes %d, and before its end %d", start, end, next, back)
		}
		if n := w.Count(start, end); n != 2 || w.Move(start, 1) != end || w.Move(end, -1) != start {
			rt.Fatalf("%d windows from %d to %d", n, start, end)
		}
	})
}

func TestMonthsBeginAtTheMidnightOfTheirZone(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		months     int
		at         time.Time
		start, end time.Time
	}{
		{1, time.Date(2024, 3, 31, 12, 0, 0, 0, zone), time.Date(2024, 3, 1, 0, 0, 0, 0, zone), time.Date(2024, 4, 1, 0, 0, 0, 0, zone)},
		{3, time.Date(2024, 3, 31, 12, 0, 0, 0, zone), time.Date(2024, 1, 1, 0, 0, 0, 0, zone), time.Date(2024, 4, 1, 0, 0, 0, 0, zone)},
		{12, time.Date(1969, 12, 31, 23, 0, 0, 0, zone), time.Date(1969, 1, 1, 0, 0, 0, 0, zone), time.Date(1970, 1, 1, 0, 0, 0, 0, zone)},
	} {
		w := plan.Window{Months: c.months, Every: 1, Zone: zone}
		if start, end := w.Bounds(c.at.UnixNano()); start != c.start.UnixNano() || end != c.end.UnixNano() {
			t.Errorf("the %d months of %s are %s to %s", c.months, c.at, time.Unix(0, start).In(zone), time.Unix(0, end).In(zone))
		}
	}
}

func TestWindowsOfTheCalendarEndWithTime(t *testing.T) {
	for _, months := range []int{1, 12, 12_000} {
		w := plan.Window{Months: months, Every: 1}
		for _, at := range []int64{model.MinTime, model.MinTime + 1, 0, model.MaxTime - 1, model.MaxTime} {
			if start, end := w.Bounds(at); start > at || end < at || start == end {
				t.Errorf("%d months around %d are %d to %d", months, at, start, end)
			}
		}
	}
}
