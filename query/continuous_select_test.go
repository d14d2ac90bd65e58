package query

import (
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/model"
)

func TestContinuousSelectRunsOverTheRangeItIsGiven(t *testing.T) {
	c, err := ParseContinuous("d", `CREATE CONTINUOUS QUERY q ON d RESAMPLE EVERY 30s FOR 5m BEGIN
		SELECT mean(v) INTO d.autogen.m FROM d.autogen.src WHERE time > now() - 1h AND (h = 'a' OR h = 'b')
		GROUP BY time(1m, 10s) tz('Europe/Berlin') END`)
	if err != nil {
		t.Fatal(err)
	}
	if c.Every != 30*time.Second || c.For != 5*time.Minute || c.Window.Every != int64(time.Minute) ||
		c.Window.Offset != int64(10*time.Second) || c.Window.Zone == nil || c.Database != "d" || c.Policy != "autogen" {
		t.Errorf("the query is %+v", c)
	}
	q, err := c.Over(model.TimeRange{Min: 60e9, Max: 120e9 - 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `WHERE (h = 'a' OR h = 'b') AND time >= '1970-01-01T00:01:00Z' AND time <= '1970-01-01T00:01:59.999999999Z'`
	if text := q.statements[0].String(); !strings.Contains(text, want) {
		t.Errorf("it runs %s, want %s in it", text, want)
	}
}

func TestContinuousSelectHasWindowsOfTheCalendar(t *testing.T) {
	c, err := ParseContinuous("d", `CREATE CONTINUOUS QUERY q ON d BEGIN SELECT last(v) INTO d.autogen.m FROM d.autogen.src
		GROUP BY time(2mo, 12h), h fill(previous, 90d) tz('Europe/Berlin') END`)
	if err != nil {
		t.Fatal(err)
	}
	if c.Window.Months != 2 || c.Window.Offset != int64(12*time.Hour) || c.Window.Zone == nil {
		t.Errorf("the windows are %+v", c.Window)
	}
	q, err := c.Over(model.TimeRange{Min: 60e9, Max: 120e9 - 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `GROUP BY time(2mo, 12h), h fill(previous, 90d) TZ('Europe/Berlin')`
	if text := (&task{query: q}).text(); !strings.HasSuffix(text, want) {
		t.Errorf("it is shown as %s, want %s at its end", text, want)
	}
}

func TestContinuousQueriesThatCannotRunAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT mean(v) INTO m FROM src GROUP BY time(1m)":                               "query isn't a valid continuous query",
		"CREATE CONTINUOUS QUERY q ON d BEGIN SELECT v INTO m FROM src END":              "continuous queries must be aggregate queries",
		"CREATE CONTINUOUS QUERY q ON d BEGIN SELECT nope(v) INTO m FROM src GROUP BY t": "error parsing query",
	} {
		if _, err := ParseContinuous("d", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gave %v, want %s", text, err, want)
		}
	}
}
