package plan_test

import (
	"bytes"
	"testing"

	"github.com/varvedb/varve/query/plan"
)

// Whatever a statement becomes must be what DecodeFragment lets pass.
func TestFragmentsOfStatementsComeBack(t *testing.T) {
	for _, q := range []string{
		"SELECT * FROM m",
		"SELECT f + i, abs(f) FROM m WHERE b = true AND f / 2 > i",
		"SELECT mean(f) FROM m WHERE h = 'a' OR f > 3 AND s =~ /x/",
		"SELECT first(f), h FROM m",
		"SELECT last(f), i, s FROM m GROUP BY h",
		"SELECT max(*) FROM m",
		"SELECT count(f), max(i), distinct(s) FROM m",
		"SELECT count(distinct(f)) FROM m GROUP BY time(1h, 5m) TZ('Europe/Berlin')",
		"SELECT percentile(f, 90), mode(s), median(i), spread(f), stddev(f) FROM m GROUP BY time(1m), *",
		"SELECT f FROM m WHERE h =~ /a|b/ AND _name = 'x' OR r !~ /c/",
		"SELECT f FROM m ORDER BY time DESC LIMIT 5 OFFSET 3 SLIMIT 3 SOFFSET 2",
		"SELECT f FROM m WHERE (f > 1) = true",
		"SELECT f FROM m WHERE i & 1 = 1 AND b & b",
		"SELECT f FROM m WHERE nope > 3 OR nope = true OR f > 1",
		"SELECT f FROM m WHERE nope + 1 > 3 OR i % 2 = 1 OR 1 > 0",
		"SELECT f FROM m WHERE b != nope OR pow(f, 2) > 3",
		"SELECT f FROM m WHERE s = h OR true",
		"SELECT f FROM m WHERE time > '2020-01-01' AND time < '2021-01-01' AND i ^ 1 > 2",
	} {
		b, err := bind(t, q, plan.Options{MaxSeries: 5, MaxPoints: 6, MaxBytes: 7})
		if err != nil {
			continue // that is for the tests of Compile
		}
		for _, f := range b.Fragments() {
			p := plan.AppendFragment(nil, f)
			got, err := plan.DecodeFragment(p)
			if err != nil {
				t.Errorf("%s: %v", q, err)
			} else if !bytes.Equal(plan.AppendFragment(nil, got), p) {
				t.Errorf("%s: the fragment came back different", q)
			}
		}
	}
}
