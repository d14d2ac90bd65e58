package model_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/varvedb/varve/model"
)

func TestSeriesKeySurvivesParsing(t *testing.T) {
	tests := []struct {
		measurement string
		tags        model.Tags
		key         string
	}{
		{"cpu", nil, "cpu"},
		{"cpu", model.Tags{{Key: "host", Value: "a"}, {Key: "region", Value: "b"}}, "cpu,host=a,region=b"},
		{"my cpu,0", model.Tags{{Key: "a b", Value: "c,d=e"}}, `my\ cpu\,0,a\ b=c\,d\=e`},
		{"a=b", model.Tags{{Key: "k=", Value: "="}}, `a=b,k\==\=`},
		{`C:\temp`, model.Tags{{Key: "path", Value: `D:\x y`}}, `C:\temp,path=D:\x\ y`},
		{"m", model.Tags{{Key: "ü", Value: "日本"}}, "m,ü=日本"},
	}
	for _, tt := range tests {
		key := model.AppendSeriesKey(nil, tt.measurement, tt.tags)
		if string(key) != tt.key {
			t.Errorf("AppendSeriesKey(%q, %v) = %q, want %q", tt.measurement, tt.tags, key, tt.key)
		}
		measurement, tags, ok := model.ParseSeriesKey(key)
		if diff := cmp.Diff(tt.tags, tags); !ok || measurement != tt.measurement || diff != "" {
			t.Errorf("ParseSeriesKey(%q) = %q, %v, %t; want %q, %v", key, measurement, tags, ok, tt.measurement, tt.tags)
		}
	}
}

func TestTagWithoutValueIsNoSeriesKey(t *testing.T) {
	for _, key := range []string{"cpu,", "cpu,host", `cpu,host\=a`, "cpu,a=b,"} {
		if _, tags, ok := model.ParseSeriesKey([]byte(key)); ok {
			t.Errorf("ParseSeriesKey(%q) gives tags %v", key, tags)
		}
	}
}

func FuzzParseSeriesKey(f *testing.F) {
	f.Add([]byte(`my\ cpu\,0,a\ b=c\,d\=e`))
	f.Add([]byte(`cpu\,host=a\`))
	f.Fuzz(func(t *testing.T, key []byte) {
		measurement, tags, ok := model.ParseSeriesKey(key)
		if !ok {
			return
		}
		again := model.AppendSeriesKey(nil, measurement, tags)
		m2, t2, ok := model.ParseSeriesKey(again)
		if !ok || m2 != measurement || !cmp.Equal(t2, tags) {
			t.Errorf("%q is %q %q, but made again as %q it is %q %q", key, measurement, tags, again, m2, t2)
		}
	})
}

func TestTagsAreFoundAndSorted(t *testing.T) {
	tags := model.Tags{{Key: "b", Value: "2"}, {Key: "a", Value: "1"}}
	tags.Sort()
	if tags[0].Key != "a" || tags.Get("b") != "2" || tags.Get("c") != "" {
		t.Errorf("sorted tags: %v", tags)
	}
}

func TestSeriesHashDependsOnTheSeed(t *testing.T) {
	key := []byte("cpu,host=a")
	h := model.HashSeriesKey(key, 1)
	if h != model.HashSeriesKey(key, 1) || h == model.HashSeriesKey(key, 2) {
		t.Error("a hash must be the same under one seed, and another under another")
	}
}

func TestSeriesHashOrdersAsItsBytes(t *testing.T) {
	ordered := []model.SeriesHash{{}, {Lo: 1}, {Lo: 1 << 63}, {Hi: 1}, {Hi: 1, Lo: 7}, {Hi: 1 << 63}}
	for i, a := range ordered {
		for j, b := range ordered {
			want := cmpInt(i, j)
			if got := a.Compare(b); got != want {
				t.Errorf("%v.Compare(%v) = %d, want %d", a, b, got, want)
			}
			if got := cmpInt(string(a.Append(nil)), string(b.Append(nil))); got != want {
				t.Errorf("bytes of %v and %v compare as %d, want %d", a, b, got, want)
			}
		}
	}
}
