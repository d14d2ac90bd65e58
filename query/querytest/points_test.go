package querytest

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

// pointsSink writes down what it is given.
type pointsSink struct {
	lines []string
	err   error
}

func (*pointsSink) Begin(query.Statement) error { return nil }

func (s *pointsSink) Rows(r *exec.Rows) error {
	var tags []string
	for _, t := range r.Tags {
		tags = append(tags, t.Key+"="+t.Value)
	}
	for i, t := range r.Times {
		s.lines = append(s.lines, fmt.Sprintf("%s{%s} %v@%d", r.Name, strings.Join(tags, ","), r.Values[0].Value(i), t))
	}
	return nil
}

func (s *pointsSink) End(o query.Outcome) error {
	s.err = o.Err
	return nil
}

func TestPointsAreThoseOfTheChosenSeriesAndTimes(t *testing.T) {
	store := NewStore(Options{})
	err := store.Write("db", "", []byte("up,job=a,time_zone=x value=1 1\nup,job=a,time_zone=x value=2 2\nup,job=a,time_zone=x value=3 3\n"))
	if err == nil {
		err = store.Write("db", "", []byte("up,job=b value=4 2\nup other=5 2\nups value=6 2\nwhole,job=a value=7i 2\ntext,job=a value=\"x\" 2\n"))
	}
	if err != nil {
		t.Fatal(err)
	}
	executor, err := query.New(query.DefaultConfig(), store, store, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	match := func(key, pattern string, negate bool) *model.Predicate {
		return model.MatchRegexp(key, regexp.MustCompile("^(?:"+pattern+")$"), negate)
	}
	all := model.TimeRange{Min: 1, Max: 3}
	for _, c := range []struct {
		name   string
		points query.Points
		want   []string
	}{
		{
			"a measurement",
			query.Points{Measurements: model.IsMeasurement("up"), Range: all},
			[]string{"up{job=a,time_zone=x} 1@1", "up{job=a,time_zone=x} 2@2", "up{job=a,time_zone=x} 3@3", "up{job=b,time_zone=} 4@2"},
		},
		{
			"both ends of a range",
			query.Points{Measurements: model.IsMeasurement("up"), Range: model.TimeRange{Min: 2, Max: 3}},
			[]string{"up{job=a,time_zone=x} 2@2", "up{job=a,time_zone=x} 3@3", "up{job=b,time_zone=} 4@2"},
		},
		{
			"a tag that some lack",
			query.Points{Measurements: match(model.MeasurementKey, "up.*", false), Series: match("time_zone", "x|", true), Range: all},
			nil,
		},
		{
			"a pattern that nothing matches too",
			query.Points{Measurements: match(model.MeasurementKey, "up.*", false), Series: match("job", "b?", false), Range: all},
			[]string{"up{job=b,time_zone=} 4@2", "ups{job=,time_zone=} 6@2"},
		},
		{
			"all measurements, of which some have other types",
			query.Points{Series: &model.Predicate{Op: model.Equal, Key: "job", Value: "a"}, Range: model.TimeRange{Min: 2, Max: 2}},
			[]string{"up{job=a,time_zone=x} 2@2"},
		},
		{"no measurement", query.Points{Measurements: model.IsMeasurement("down"), Range: all}, nil},
		{"a name that would end a text", query.Points{Measurements: model.IsMeasurement(`up"; DROP DATABASE db`), Range: all}, nil},
	} {
		c.points.Field = "value"
		q, err := executor.Points(query.Request{Database: "db"}, c.points)
		if err != nil {
			t.Fatal(err)
		}
		var got pointsSink
		if err := executor.Execute(context.Background(), q, &got); err != nil || got.err != nil {
			t.Errorf("%s: %v, %v", c.name, err, got.err)
		}
		if !slices.Equal(got.lines, c.want) {
			t.Errorf("%s\n got  %q\n want %q", c.name, got.lines, c.want)
		}
	}
}
