package exec_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/exec/exectest"
)

func TestRunList(t *testing.T) {
	src := oneShard(t, exectest.Options{}, cpu...).src
	isA := &model.Predicate{Op: model.Equal, Key: "h", Value: "a"}
	for _, c := range []struct {
		name string
		q    exec.ListRequest
		want []exec.Entry
	}{
		{"measurements", exec.ListRequest{Kind: exec.ListMeasurements}, []exec.Entry{{Measurement: "cpu"}, {Measurement: "mem"}}},
		{"measurements, limited", exec.ListRequest{Kind: exec.ListMeasurements, Limit: 1}, []exec.Entry{{Measurement: "cpu"}}},
		{
			"measurements with a tag",
			exec.ListRequest{Kind: exec.ListMeasurements, Where: &model.Predicate{Op: model.Equal, Key: "h", Value: "c"}},
			[]exec.Entry{{Measurement: "mem"}},
		},
		{
			"tag keys",
			exec.ListRequest{Kind: exec.ListTagKeys, Where: model.IsMeasurement("cpu")},
			[]exec.Entry{{Measurement: "cpu", Key: "h"}, {Measurement: "cpu", Key: "r"}},
		},
		{
			"tag keys that match",
			exec.ListRequest{Kind: exec.ListTagKeys, Keys: model.MatchRegexp("", regexp.MustCompile("^r"), false)},
			[]exec.Entry{{Measurement: "cpu", Key: "r"}},
		},
		{
			"tag values",
			exec.ListRequest{Kind: exec.ListTagValues, Keys: &model.Predicate{Op: model.Equal, Value: "h"}},
			[]exec.Entry{
				{Measurement: "cpu", Key: "h", Value: "a"},
				{Measurement: "cpu", Key: "h", Value: "b"},
				{Measurement: "mem", Key: "h", Value: "a"},
				{Measurement: "mem", Key: "h", Value: "c"},
			},
		},
		{
			"field keys",
			exec.ListRequest{Kind: exec.ListFieldKeys, Where: model.IsMeasurement("mem")},
			[]exec.Entry{{Measurement: "mem", Key: "f", Type: model.Float}, {Measurement: "mem", Key: "u", Type: model.Unsigned}},
		},
		{"series", exec.ListRequest{Kind: exec.ListSeries, Where: isA}, []exec.Entry{{Measurement: "cpu", Key: "cpu,h=a,r=x"}, {Measurement: "mem", Key: "mem,h=a"}}},
	} {
		got, err := exec.RunList(t.Context(), src, &c.q)
		if err != nil || !slices.Equal(got.Entries, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
	}
}

func TestMergedListsEqualTheWhole(t *testing.T) {
	whole := oneShard(t, exectest.Options{}, cpu...)
	for kind := exec.ListMeasurements; kind <= exec.ListSeries; kind++ {
		for _, limit := range []int{0, 2} {
			q := &exec.ListRequest{Kind: kind, Limit: limit}
			want, err := exec.RunList(t.Context(), whole.src, q)
			if err != nil {
				t.Fatal(err)
			}
			got := &exec.List{}
			for _, line := range cpu {
				part, err := exec.RunList(t.Context(), oneShard(t, exectest.Options{}, line).src, q)
				if err != nil {
					t.Fatal(err)
				}
				got.Merge(part, limit)
			}
			if !slices.Equal(got.Entries, want.Entries) {
				t.Errorf("kind %d, limit %d: %v, want %v", kind, limit, got, want)
			}
		}
	}
}

func TestSeriesComeInTheOrderOfTheirTags(t *testing.T) {
	l := &exec.List{}
	l.Merge(&exec.List{Entries: []exec.Entry{{Key: `m,a="q"`}, {Key: `m,a=\ x`}, {Key: "m"}}}, 0)
	l.Merge(&exec.List{Entries: []exec.Entry{{Key: `m,a=\ x`}, {Key: "m,a=1"}}}, 0)
	want := []exec.Entry{{Key: "m"}, {Key: `m,a=\ x`}, {Key: `m,a="q"`}, {Key: "m,a=1"}}
	if !slices.Equal(l.Entries, want) {
		t.Errorf("merged: got %q, want %q", l.Entries, want)
	}
}
