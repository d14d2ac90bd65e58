package plan

import (
	"testing"
	"time"

	"github.com/varvedb/varve/model"
)

func TestAZoneHasNoEndBeforeItsTime(t *testing.T) {
	for _, name := range []string{"America/St_Johns", "Antarctica/Troll", "Europe/Berlin"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		w := Window{Every: int64(time.Hour), Zone: zone}
		for at, spans := time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano(), 0; at < model.MaxTime; spans++ {
			s := w.spanOf(at)
			if s.begin > at || s.end <= at || spans > 2000 {
				t.Fatalf("%s: at %v a span from %v to %v", name, time.Unix(0, at).UTC(), time.Unix(0, s.begin).UTC(), time.Unix(0, s.end).UTC())
			}
			at = s.end
		}
		last := time.Date(2040, 12, 31, 12, 0, 0, 0, time.UTC).UnixNano()
		if start, end := w.Bounds(last); start > last || end <= last || end-start != w.Every {
			t.Errorf("%s: the last day of 2040 has a window from %d to %d", name, start-last, end-last)
		}
	}
}
