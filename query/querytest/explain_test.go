package querytest

import (
	"regexp"
	"strings"
	"testing"
)

func TestExplainHasTheShapeOfInfluxDB(t *testing.T) {
	s := newSession(t, Options{})
	query := func(text string) string {
		return s.run(command{verb: "query", args: map[string]string{"db": "d"}, input: text})
	}
	s.run(command{verb: "write", args: map[string]string{"db": "d"}, input: "m,h=a f=1,g=2 1\nm,h=b f=3 2\n"})
	for _, c := range []struct{ q, want string }{
		{"EXPLAIN SELECT mean(f) FROM m GROUP BY h", "EXPRESSION: mean(f::float)|NUMBER OF SHARDS: 1|NUMBER OF SERIES: 2"},
		{"EXPLAIN SELECT f, h FROM m", "EXPRESSION: <nil>|AUXILIARY FIELDS: f::float, h::tag|NUMBER OF SHARDS: 1|NUMBER OF SERIES: 2"},
		{"EXPLAIN SELECT max(x) FROM (SELECT min(f) AS x FROM m WHERE h = 'a')", "EXPRESSION: min(f::float)|NUMBER OF SHARDS: 1|NUMBER OF SERIES: 1"},
		{"EXPLAIN SELECT nosuch FROM m", ""},
	} {
		lines := strings.Split(strings.ReplaceAll(query(c.q), `"`, ""), "\n")
		got := strings.Join(lines[1:len(lines)-1], "|")
		if lines[0] != " QUERY PLAN" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %s", c.q, lines, c.want)
		}
	}
	got := query("EXPLAIN ANALYZE SELECT max(x) FROM (SELECT f AS x FROM m)")
	got = regexp.MustCompile(`[0-9.]+(ns|µs|ms|s)`).ReplaceAllString(strings.ReplaceAll(got, `"`, ""), "T")
	for _, want := range []string{
		" EXPLAIN ANALYZE\n.\n└── select\n    ├── execution_time: T\n    ├── planning_time: T\n    ├── total_time: T\n    ├── rows: 1\n    └── build_cursor\n        ├── labels\n        │   └── statement: SELECT max(x::float) FROM (SELECT f::float AS x FROM d.autogen.m)\n        └── iterator_scanner\n            ├── labels\n            │   └── expr: max(x::float)\n            └── build_cursor\n",
		"                    └── create_iterator\n                        ├── labels\n                        │   ├── measurement: m\n",
		"                        ├── cursors_aux: 2\n",
		"                        ├── float_blocks_decoded: 2\n",
		"                        ├── rows_answered: 2\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("EXPLAIN ANALYZE gives\n%s\nwithout\n%s", got, want)
		}
	}
}
