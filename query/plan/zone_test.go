package plan_test

import (
	"archive/zip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/query/plan"
)

// zones gives every zone of the database that programs embed, each set of rules
// once.
func zones(t *testing.T) []*time.Location {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	db, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var zones []*time.Location
	seen := map[uint32]bool{} // by check sum: most names are other ones of the same zone
	for _, f := range db.File {
		if f.FileInfo().IsDir() || seen[f.CRC32] {
			continue
		}
		seen[f.CRC32] = true
		zone, err := time.LoadLocation(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, zone)
	}
	if len(zones) < 250 {
		t.Fatalf("only %d zones", len(zones))
	}
	return zones
}

// transitions gives the times from 2000 to 2037 at which a zone's clock changes.
func transitions(zone *time.Location) (times []int64) {
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).In(zone)
	for {
		_, end := at.ZoneBounds()
		if end.IsZero() || end.Year() > 2037 {
			return times
		}
		at = end
		times = append(times, at.UnixNano())
	}
}

const (
	minute = int64(time.Minute)
	hour   = int64(time.Hour)
	day    = 24 * hour
)

var everyLength = []plan.Window{
	{Every: 10 * minute},
	{Every: 20 * minute, Offset: 7 * minute},
	{Every: 30 * minute},
	{Every: hour},
	{Every: hour, Offset: -20 * minute},
	{Every: 90 * minute},
	{Every: 2 * hour},
	{Every: 6 * hour},
	{Every: 12 * hour, Offset: 5 * hour},
	{Every: day},
	{Every: day, Offset: -8 * hour},
	{Every: 2 * day},
	{Every: 7 * day},
	{Every: 7 * day, Offset: 3 * day},
	{Every: 30 * day},
	{Months: 1, Every: 30 * day},
	{Months: 1, Every: 30 * day, Offset: 6 * hour},
	{Months: 3, Every: 91 * day},
	{Months: 12, Every: 365 * day},
}

func TestWindowsOfEveryZoneTileTheTimesAroundItsTransitions(t *testing.T) {
	// What windows that divide a day do around a change depends on nothing else.
	type change struct{ before, after, timeOfDay int64 }
	all := zones(t)
	for _, w := range everyLength {
		seen := map[change]bool{}
		for _, zone := range all {
			w.Zone = zone
			for _, at := range transitions(zone) {
				c := change{offset(zone, at-1), offset(zone, at), at % day}
				if w.Months > 0 || day%w.Every != 0 || !seen[c] {
					checkTiles(t, &w, at)
				}
				seen[c] = true
			}
		}
	}
}

// offset gives how far a zone is from UTC.
func offset(zone *time.Location, at int64) int64 {
	_, seconds := time.Unix(0, at).In(zone).Zone()
	return int64(seconds)
}

// checkTiles looks at the windows around a change of the clock: those of many
// times, and how one follows the other.
func checkTiles(t *testing.T, w *plan.Window, change int64) {
	t.Helper()
	show := func(x int64) string { return time.Unix(0, x).In(w.Zone).Format(time.RFC3339Nano) }
	complain := func(format string, args ...int64) {
		texts := []any{w.Zone, time.Duration(w.Every), time.Duration(w.Offset), w.Months, show(change)}
		for _, a := range args {
			texts = append(texts, show(a))
		}
		t.Errorf("%s, windows of %s (offset %s, %d months) around %s: "+format, texts...)
	}
	const reach = 4 * hour
	start, end := w.Bounds(change - reach)
	if start > change-reach || end <= change-reach {
		complain("that of %s is %s to %s", change-reach, start, end)
		return
	}
	for start <= change+reach {
		probes := []int64{start, end - 1, change - 1, change, change + 1, start + (end-start)/2}
		for at := change - reach; w.Every <= day && at < change+reach; at += 17 * minute {
			probes = append(probes, at)
		}
		for _, at := range probes {
			if at < start || at >= end {
				continue
			}
			if s, e := w.Bounds(at); s != start || e != end {
				complain("that of %s is %s to %s, want %s to %s", at, s, e, start, end)
				return
			}
		}
		next := w.Next(start, false)
		if next != end || next <= start {
			complain("after %s comes %s, want %s", start, next, end)
			return
		}
		if back := w.Next(end, true); back != start {
			complain("before %s comes %s, want %s", end, back, start)
			return
		}
		start, end = w.Bounds(next)
		if start != next {
			complain("that of %s begins at %s", next, start)
			return
		}
	}
}

// Beyond the tables of zones package time gets the end of leap years wrong.
// Looking for the next change of the clock must get on there, too.
func TestWindowsGoOnAtTheEndOfLeapYearsFarAhead(t *testing.T) {
	for _, zone := range zones(t) {
		w := &plan.Window{Every: int64(time.Hour), Zone: zone}
		for year := 2040; year <= 2096; year += 4 {
			at := time.Date(year, 12, 30, 20, 30, 0, 0, time.UTC).UnixNano()
			_, next := w.Bounds(at)
			for range 60 {
				start, end := w.Bounds(next)
				if start != next || end != start+w.Every {
					t.Fatalf("%s: after %s comes the window %s - %s", zone, time.Unix(0, next).UTC(), time.Unix(0, start).UTC(), time.Unix(0, end).UTC())
				}
				next = end
			}
		}
	}
}
