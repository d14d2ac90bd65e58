package exec_test

import (
	"bytes"
	"reflect"
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
	var requests []exec.ListRequest
	for kind := exec.ListMeasurements; kind <= exec.ListSeries; kind++ {
		requests = append(
			requests,
			exec.ListRequest{Kind: kind},
			exec.ListRequest{Kind: kind, Limit: 2},
			exec.ListRequest{Kind: kind, Limit: 1, LimitEach: true},
			exec.ListRequest{Kind: kind, Within: &model.TimeRange{Min: 10, Max: 20}},
			exec.ListRequest{Kind: kind, Count: &exec.Counting{Sketch: true}},
			exec.ListRequest{Kind: kind, Count: &exec.Counting{}},
			exec.ListRequest{Kind: kind, Count: &exec.Counting{GroupBy: []string{"h", "none"}}},
			exec.ListRequest{Kind: kind, Count: &exec.Counting{Part: 1, Parts: 2}},
		)
	}
	for _, q := range requests {
		if q.Kind == exec.ListFieldKeys && q.Count != nil && q.Count.GroupBy != nil {
			continue // each shard has fields of its own, and gives all to each group
		}
		want, err := exec.RunList(t.Context(), whole.src, &q)
		if err != nil {
			t.Fatal(err)
		}
		got := &exec.List{}
		for _, line := range cpu {
			part, err := exec.RunList(t.Context(), oneShard(t, exectest.Options{}, line).src, &q)
			if err != nil {
				t.Fatal(err)
			}
			got.Merge(part, &q)
		}
		if a, b := exec.AppendList(nil, got), exec.AppendList(nil, want); !bytes.Equal(a, b) {
			t.Errorf("%+v: %v, want %v", q, got, want)
		}
	}
}

func TestPartsOfACountAreTheWhole(t *testing.T) {
	src := oneShard(t, exectest.Options{}, cpu...).src
	for _, by := range [][]string{nil, {"h"}} {
		q := exec.ListRequest{Kind: exec.ListSeries, Count: &exec.Counting{GroupBy: by}}
		want, err := exec.RunList(t.Context(), src, &q)
		if err != nil {
			t.Fatal(err)
		}
		got := &exec.List{}
		for part := range 3 {
			q.Count = &exec.Counting{GroupBy: by, Part: part, Parts: 3}
			list, err := exec.RunList(t.Context(), src, &q)
			if err != nil {
				t.Fatal(err)
			}
			got.Merge(list, &q)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("by %v: the parts are %v, the whole %v", by, got, want)
		}
	}
}

func TestSeriesComeInTheOrderOfTheirTags(t *testing.T) {
	l := &exec.List{}
	l.Merge(&exec.List{Entries: []exec.Entry{{Key: "m"}, {Key: `m,a=\ x`}, {Key: `m,a="q"`}}}, &exec.ListRequest{})
	l.Merge(&exec.List{Entries: []exec.Entry{{Key: `m,a=\ x`}, {Key: "m,a=1"}}}, &exec.ListRequest{})
	want := []exec.Entry{{Key: "m"}, {Key: `m,a=\ x`}, {Key: `m,a="q"`}, {Key: "m,a=1"}}
	if !slices.Equal(l.Entries, want) {
		t.Errorf("merged: got %q, want %q", l.Entries, want)
	}
}
