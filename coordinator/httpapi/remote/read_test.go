package remote

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/golang/snappy"
	"github.com/google/go-cmp/cmp"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
)

func TestReadsChooseSeriesAsPrometheusDoes(t *testing.T) {
	up := model.Tags{{Key: "__name__", Value: "up"}, {Key: "job", Value: "ab"}}
	for _, c := range []struct {
		matcher Matcher
		want    bool
	}{
		{Matcher{equal, "__name__", "up"}, true},
		{Matcher{equal, "__name__", "down"}, false},
		{Matcher{match, "__name__", "u."}, true},
		{Matcher{match, "__name__", "u"}, false},
		{Matcher{notMatch, "__name__", "u|up"}, false},
		{Matcher{equal, "job", "ab"}, true},
		{Matcher{notEqual, "job", "ab"}, false},
		{Matcher{match, "job", "a"}, false},
		{Matcher{match, "job", "a|ab"}, true},
		{Matcher{notMatch, "job", "a"}, true},
		{Matcher{equal, "zone", ""}, true},
		{Matcher{notEqual, "zone", ""}, false},
		{Matcher{match, "zone", ".*"}, true},
		{Matcher{match, "zone", ".+"}, false},
		{Matcher{equal, "time", ""}, true},
		{Matcher{equal, `job' OR 'a'='a`, "x"}, false},
	} {
		read, err := DecodeRead(readRequest(1, 2, c.matcher))
		if err != nil {
			t.Fatal(err)
		}
		measurements, series, err := read.Predicates()
		if err != nil {
			t.Fatal(err)
		}
		if got := measurements.Holds("up", nil) && series.Holds("up", up); got != c.want {
			t.Errorf("%s: %v, want %v", read, got, c.want)
		}
	}
}

func TestReadsThatCannotBeAnsweredAreRefused(t *testing.T) {
	name := Matcher{equal, "__name__", "up"}
	one := readRequest(1, 2, name)
	for _, c := range []struct {
		message []byte
		want    string
	}{
		{nil, "Prometheus read endpoint currently only supports one query at a time"},
		{append(one[:len(one):len(one)], one...), "Prometheus read endpoint currently only supports one query at a time"},
		{readRequest(1, 2), "expected matcher"},
		{readRequest(1, 2, Matcher{Type: 4}), "unknown match type 4"},
		{readRequest(1, 2, Matcher{match, "a", "("}), "error parsing regexp: missing closing ): `^(?:()$`"},
		{readRequest(1, 2, Matcher{match, "a", strings.Repeat("a", 70_000)}), "a regular expression of 70000 bytes, the limit is 65536"},
		{one[:len(one)-1], "invalid Protocol Buffers message"},
	} {
		read, err := DecodeRead(c.message)
		if err == nil {
			_, _, err = read.Predicates()
		}
		if !errors.Is(err, model.ErrInvalid) || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestTimesBeyondAllAreTheNearest(t *testing.T) {
	read, err := DecodeRead(readRequest(math.MinInt64, math.MaxInt64, Matcher{}))
	if want := model.AllTime; err != nil || read.Range != want {
		t.Errorf("got %v, %v, want %v", read, err, want)
	}
}

func TestAResultIsOneMessage(t *testing.T) {
	floats := func(vs ...float64) []model.Column {
		c := model.Column{Field: model.Field{Name: "value", Type: model.Float}}
		for _, v := range vs {
			c.AppendBits(math.Float64bits(v))
		}
		return []model.Column{c}
	}
	var r Result
	for _, rows := range []*exec.Rows{
		{Tags: model.Tags{{Key: "__name__", Value: "up"}, {Key: "lacking"}, {Key: "job", Value: "a"}}, Times: []int64{1e6, 2e6}, Values: floats(1, 2), More: true},
		{Tags: model.Tags{{Key: "__name__", Value: "up"}, {Key: "lacking"}, {Key: "job", Value: "a"}}, Times: []int64{3e6}, Values: floats(3)},
		{Times: []int64{-1e6}, Values: floats(math.Copysign(0, -1))},
	} {
		if err := r.Add(rows); err != nil {
			t.Fatal(err)
		}
	}
	got, err := snappy.Decode(nil, r.Pack())
	if err != nil {
		t.Fatal(err)
	}
	want := sub(nil, 1, writeRequest(timeSeries([]string{"__name__", "up", "job", "a"}, at{1, 1}, at{2, 2}, at{3, 3}), timeSeries(nil, at{math.Copysign(0, -1), -1})))
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("message differs (-want +got):\n%s", d)
	}
}

func TestAResultIsBounded(t *testing.T) {
	var r Result
	c := model.Column{Field: model.Field{Name: "value", Type: model.Float}}
	times := make([]int64, 10_000)
	for i := range times {
		times[i] = int64(i) * 1e6
		c.AppendBits(1)
	}
	for range MaxResultBytes / len(times) {
		if err := r.Add(&exec.Rows{Times: times, Values: []model.Column{c}, More: true}); err != nil {
			if !errors.Is(err, model.ErrTooLarge) {
				t.Error(err)
			}
			return
		}
	}
	t.Errorf("%d bytes were taken", len(r.series))
}

func FuzzDecodeRead(f *testing.F) {
	f.Add(readRequest(1, 2, Matcher{equal, "__name__", "up"}, Matcher{match, "job", "a.*"}))
	f.Add(readRequest(math.MinInt64, math.MaxInt64, Matcher{notMatch, "", ""}))
	f.Fuzz(func(t *testing.T, message []byte) {
		read, err := DecodeRead(message)
		if err != nil {
			return
		}
		_ = read.String()
		measurements, series, err := read.Predicates()
		if err == nil && measurements == nil && series == nil {
			t.Fatalf("%s chooses everything", read)
		}
	})
}
