package main

import "testing"

func TestClassesExplainNoMoreThanTheirReason(t *testing.T) {
	value := func(column, a, b string) diff {
		return diff{"VALUE", "[0].results[0].series[0].values[0][" + column + "]", a, b}
	}
	rows := diff{"SHAPE", "[0].results[0].series[0].values", "1 elements", "2 elements: more"}
	for _, c := range []struct {
		q     string
		d     diff
		ties  bool
		class string // "" for none
	}{
		{"SELECT mean(v), mode(v) FROM m", value("2", "1", "2"), false, "equally frequent"},
		{"SELECT mean(v), mode(v) FROM m", value("1", "1", "2"), false, ""},
		{"SELECT mode(*) FROM m", value("3", "1", "2"), false, "equally frequent"},
		{"SELECT top(v, t, 2), w FROM m", value("2", `"x"`, `"y"`), false, "equally large"},
		{"SELECT top(v, t, 2), w FROM m", value("1", "5", "6"), false, ""},
		{"SELECT top(v, 2) FROM m LIMIT 1", rows, false, "cut before top"},
		{"SELECT percentile(v, 5) FROM m GROUP BY time(1m)", rows, false, "end of percentile"},
		{"SELECT max(v), t FROM m GROUP BY time(1m) fill(-1)", value("2", "-1", `""`), false, "filled beside"},
		{"SELECT max(v), t FROM m GROUP BY time(1m)", value("2", "-1", `""`), false, ""},
		{"SELECT v FROM m GROUP BY t SLIMIT 1", rows, false, "series of a shard"},
		{"SELECT max(x) FROM (SELECT difference(v) AS x FROM m GROUP BY t)", value("1", "1", "2"), false, "unordered subquery"},
		{"SELECT x FROM (SELECT difference(v) AS x FROM m GROUP BY t)", value("1", "1", "2"), false, ""},
		{"SELECT difference(v) FROM m", value("1", "1", "2"), false, ""},
		{"SELECT difference(v) FROM m", value("1", "1", "2"), true, "equal times"},
		{"SELECT mean(v) FROM m", value("1", "1", "2"), true, ""},
		{"SELECT v FROM m WHERE host = region", rows, false, "tag against tag"},
	} {
		name := ""
		if why := explain(&testCase{Kind: "query", Body: c.q}, []diff{c.d}, c.ties); why != nil {
			name = why.name
		}
		if name != c.class {
			t.Errorf("%s: %v is of class %q, want %q", c.q, c.d, name, c.class)
		}
	}
}

func TestClassesAskWhatTheirReasonDoesNotTouch(t *testing.T) {
	for q, want := range map[string]string{
		"SELECT top(v, 2) FROM m GROUP BY t LIMIT 3 SLIMIT 1":                                                                    "SELECT top(v, 2) FROM m GROUP BY t",
		"SELECT max(x) FROM (SELECT difference(v) AS x FROM m GROUP BY t)":                                                       "SELECT max(x) FROM (SELECT difference(v) AS x FROM m GROUP BY *) GROUP BY *",
		"SELECT max(x) FROM (SELECT max(v) AS x FROM m GROUP BY time(1h) fill(0)) WHERE time > 1 AND x > 0 GROUP BY time(1d), t": "SELECT max(x) FROM (SELECT max(v) AS x FROM m GROUP BY time(1h), * fill(0)) WHERE time > 1 AND x > 0 GROUP BY time(1d), *",
	} {
		k := &testCase{Kind: "query", Body: q}
		why := explain(k, []diff{{"SHAPE", "[0].results[0].series", "1 elements", "2 elements"}}, false)
		if why == nil {
			t.Errorf("%s is of no class", q)
			continue
		}
		if got := why.instead(k).Body; got != want {
			t.Errorf("%s\n asks %s\n want %s", q, got, want)
		}
	}
}
