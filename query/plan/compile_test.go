package plan_test

import (
	"errors"
	"testing"
	"time"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/plan"
)

var schema = []plan.Schema{{
	Database: "db", Policy: "rp", Name: "m",
	Fields:  []model.Field{{Name: "b", Type: model.Boolean}, {Name: "f", Type: model.Float}, {Name: "i", Type: model.Integer}, {Name: "s", Type: model.String}},
	TagKeys: []string{"h", "r"},
}}

func bind(t testing.TB, q string, opt plan.Options) (*plan.Bound, error) {
	t.Helper()
	stmt, err := influxql.ParseStatement(q)
	if err != nil {
		t.Fatalf("parse %s: %v", q, err)
	}
	sel, err := plan.Compile(stmt.(*influxql.SelectStatement), opt)
	if err != nil {
		return nil, err
	}
	return sel.Bind(schema)
}

func TestWrongStatementsGetInfluxDBsErrors(t *testing.T) {
	for _, c := range []struct{ q, want string }{
		{"SELECT time FROM m", "at least 1 non-time field must be queried"},
		{"SELECT 1 FROM m", "field must contain at least one variable"},
		{"SELECT 'x' + 1 FROM m", "cannot perform a binary expression on two literals"},
		{"SELECT * + 1 FROM m", "unable to use wildcard in a binary expression"},
		{"SELECT mean(*) + 1 FROM m", "unsupported expression with wildcard: mean()"},
		{"SELECT mean(f + 1) FROM m", "expected field argument in mean()"},
		{"SELECT mean() FROM m", "invalid number of arguments for mean, expected 1, got 0"},
		{"SELECT nope(f) FROM m", "undefined function nope()"},
		{"SELECT f, mean(f) FROM m", "mixing aggregate and non-aggregate queries is not supported"},
		{"SELECT f, max(f), min(f) FROM m", "mixing multiple selector functions with tags or fields is not supported"},
		{"SELECT f FROM m GROUP BY time(1m)", "GROUP BY requires at least one aggregate function"},
		{"SELECT f FROM m fill(none)", "fill(none) must be used with a function"},
		{"SELECT mean(f) FROM m GROUP BY time", "time() is a function and expects at least one argument"},
		{"SELECT mean(f) FROM m GROUP BY time(1m), time(2m)", "multiple time dimensions not allowed"},
		{"SELECT mean(f) FROM m GROUP BY time(5)", "time dimension must have duration argument"},
		{"SELECT mean(f) FROM m GROUP BY time(1m, 5)", "time dimension offset must be duration or now()"},
		{"SELECT f FROM m WHERE mean(f) > 1", "invalid function call in condition: mean(f)"},
		{"SELECT f FROM m WHERE time != 5", "invalid time comparison operator: !="},
		{"SELECT f FROM m WHERE b", "invalid condition expression: b"},
		{"SELECT f + s FROM m", "type error: f::float + s::string: incompatible types: float and string"},
		{"SELECT mean(s) FROM m", "unsupported mean iterator type: *query.stringInterruptIterator"},
		{"SELECT max(*::tag) FROM m", "unable to use tag wildcard in max()"},
		{"SELECT derivative(f, 0s) FROM m", "duration argument must be positive, got 0s"},
		{"SELECT derivative(mean(f)) FROM m", "derivative aggregate requires a GROUP BY interval"},
		{"SELECT difference(f, 2) FROM m", "invalid number of arguments for difference, expected 1, got 2"},
		{"SELECT moving_average(f, 1) FROM m", "moving_average window must be greater than 1, got 1"},
		{"SELECT elapsed(f) FROM m GROUP BY time(1m)", "aggregate function required inside the call to elapsed"},
		{"SELECT percentile(f, 'a') FROM m", "expected float argument in percentile()"},
		{"SELECT sample(f, 0) FROM m", "sample window must be greater than 1, got 0"},
		{"SELECT top(f, 3) FROM m LIMIT 2", "limit (3) in top function can not be larger than the LIMIT (2) in the select statement"},
		{"SELECT top(f, 2), bottom(f, 2) FROM m", "selector function top() cannot be combined with other functions"},
		{"SELECT distinct(f), mean(f) FROM m", "aggregate function distinct() cannot be combined with other functions or fields"},
		{"SELECT holt_winters(f, 2, 2) FROM m", "must use aggregate function with holt_winters"},
		{"SELECT triple_exponential_derivative(f, 2, 0) FROM m", "triple_exponential_derivative hold period must be greater than or equal to 1"},
		{"SELECT chande_momentum_oscillator(f, 2, 0, 'x') FROM m", "chande_momentum_oscillator warmup type must be one of: 'none' 'exponential' 'simple'"},
		{"SELECT integral(f, 1) FROM m", "second argument must be a duration"},
	} {
		_, err := bind(t, c.q, plan.Options{})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.q, err, c.want)
		}
		if !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%s: kind of %v", c.q, err)
		}
	}
}

func TestConditionsOnTagsPickSeries(t *testing.T) {
	for _, c := range []struct {
		where  string
		filter bool
		a, b   bool // whether series h=a and h=b,r=x are read
	}{
		{"h = 'a'", false, true, false},
		{"h != 'a'", false, false, true},
		{"r = ''", false, true, false},
		{"h =~ /^(a|c)$/ AND f > 1", true, true, false},
		{"h = 'a' OR f > 1", true, true, true},
		{"(h = 'a' OR f > 1) AND r = 'x'", true, false, true},
		{"h = 'a' OR r = 'x'", false, true, true},
		{"f > 1 OR true", false, true, true},
		{"h = r", true, true, true},
		{"_name = 'm' AND h = 'b'", false, false, true},
		{"nosuch = ''", false, true, true},
	} {
		b, err := bind(t, "SELECT f FROM m WHERE "+c.where, plan.Options{})
		if err != nil {
			t.Errorf("%s: %v", c.where, err)
			continue
		}
		f := b.Fragments()[0]
		if got := f.Filter != nil; got != c.filter {
			t.Errorf("%s: a filter for rows: %v, want %v", c.where, got, c.filter)
		}
		if got := f.Where.Holds("m", model.Tags{{Key: "h", Value: "a"}}); got != c.a {
			t.Errorf("%s: reads h=a: %v, want %v", c.where, got, c.a)
		}
		if got := f.Where.Holds("m", model.Tags{{Key: "h", Value: "b"}, {Key: "r", Value: "x"}}); got != c.b {
			t.Errorf("%s: reads h=b,r=x: %v, want %v", c.where, got, c.b)
		}
	}
}

func TestWhatCannotHaveRowsHasNoFragments(t *testing.T) {
	for _, q := range []string{
		"SELECT nosuch FROM m", "SELECT h FROM m", "SELECT f FROM other", "SELECT count(h) FROM m", "SELECT f FROM m WHERE false",
		"SELECT f FROM m WHERE time > 10 AND time < 5", "SELECT f FROM m WHERE time > '2020-01-01' OR time < '2019-01-01'",
	} {
		b, err := bind(t, q, plan.Options{})
		if err != nil || len(b.Fragments()) != 0 {
			t.Errorf("%s: %+v, %v; want no fragments", q, b, err)
		}
	}
}

func TestWithoutAnEndWindowsEndNow(t *testing.T) {
	now := time.Unix(5000, 0)
	for _, c := range []struct {
		q        string
		min, max int64
	}{
		{"SELECT mean(f) FROM m GROUP BY time(1m)", model.MinTime, 5000e9},
		{"SELECT mean(f) FROM m", model.MinTime, model.MaxTime},
		{"SELECT mean(f) FROM m WHERE time >= now() - 1m AND time < 6000s GROUP BY time(1m)", 4940e9, 6000e9 - 1},
		{"SELECT f FROM m WHERE time = 5", 5, 5},
	} {
		b, err := bind(t, c.q, plan.Options{Now: now})
		if err != nil || b.Range != (model.TimeRange{Min: c.min, Max: c.max}) {
			t.Errorf("%s: %v, %v", c.q, b.Range, err)
		}
	}
}
