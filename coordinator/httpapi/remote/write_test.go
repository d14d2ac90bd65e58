package remote

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/varvedb/varve/model"
)

var testLimits = Limits{Labels: 4, Samples: 5}

// lines writes a batch down, one row a line.
func lines(b *model.Batch) []string {
	var out []string
	for _, t := range b.Tables {
		for i := range t.Times {
			out = append(out, fmt.Sprintf("%s %s=%v %d", b.Series[t.Series[i]].Key, t.Columns[0].Name, t.Columns[0].Value(i), t.Times[i]))
		}
	}
	return out
}

func TestSamplesBecomePoints(t *testing.T) {
	up := []string{"job", "a b", "__name__", "up", "zone", ""}
	got, err := DecodeWrite(writeRequest(
		timeSeries(up, at{1, 1}, at{math.NaN(), 2}, at{math.Inf(1), 3}),
		timeSeries([]string{"x", "1", "x", "2"}, at{2.5, -1}),
		timeSeries(up, at{math.Inf(-1), 4}),
		timeSeries([]string{"__name__", "nothing"}),
		varint(nil, 7, 1), // a field that is not known
	), 7, Limits{Labels: 3, Samples: 5})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`up,__name__=up,job=a\ b value=1 1000000`, `prom_metric_not_specified,x=2 value=2.5 -1000000`}
	if l := lines(got.Batch); !slices.Equal(l, want) || got.NotNumbers != 3 || got.Dropped != 0 || len(got.Batch.Series) != 2 {
		t.Errorf("got %q and %+v, want %q", l, got, want)
	}
	if h := got.Batch.Series[0].Hash; h != model.HashSeriesKey([]byte(`up,__name__=up,job=a\ b`), 7) {
		t.Errorf("hash is %v", h)
	}
}

func TestSamplesThatNoSeriesCanHoldAreDropped(t *testing.T) {
	for _, c := range []struct {
		labels []string
		reason string
	}{
		{[]string{"__name__", "m", "time", "x"}, `invalid tag key: input tag "time" on measurement "m" is invalid`},
		{[]string{"__name__", "m", "disk", `C:\`}, "invalid tag format: a name or value ends in a backslash"},
		{[]string{"__name__", `m\`}, "invalid tag format: a name or value ends in a backslash"},
		{[]string{"__name__", "m", "t", strings.Repeat("x", 65535)}, "max key length exceeded: 65559 > 65535"},
	} {
		got, err := DecodeWrite(writeRequest(timeSeries(c.labels, at{1, 1}, at{2, 2}), timeSeries([]string{"__name__", "ok"}, at{3, 3})), 0, testLimits)
		if err != nil {
			t.Fatal(err)
		}
		if got.Dropped != 2 || got.Reason != c.reason || len(lines(got.Batch)) != 1 {
			t.Errorf("%.40q: dropped %d for %q, kept %q; want 2 for %q", c.labels, got.Dropped, got.Reason, lines(got.Batch), c.reason)
		}
	}
}

func TestWritesThatAreNoneAreRefused(t *testing.T) {
	many := timeSeries([]string{"__name__", "m"}, at{1, 1}, at{1, 2}, at{1, 3})
	for name, c := range map[string]struct {
		message []byte
		kind    error
	}{
		"garbage":           {[]byte("garbage"), model.ErrInvalid},
		"cut off":           {many[:len(many)-1], model.ErrInvalid},
		"another type":      {varint(nil, 1, 5), model.ErrInvalid},
		"a value as text":   {writeRequest(sub(sub(nil, 1, str(str(nil, 1, "a"), 2, "b")), 2, str(nil, 1, "12345678"))), model.ErrInvalid},
		"no UTF-8":          {writeRequest(timeSeries([]string{"a", "\xff"}, at{1, 1})), model.ErrInvalid},
		"a nameless label":  {writeRequest(timeSeries([]string{"", "x"}, at{1, 1})), model.ErrInvalid},
		"too many labels":   {writeRequest(timeSeries([]string{"a", "1", "b", "2", "c", "3", "d", "4", "e", "5"}, at{1, 1})), model.ErrInvalid},
		"a time beyond all": {writeRequest(timeSeries(nil, at{1, math.MaxInt64 / 1000})), model.ErrInvalid},
		"too many samples":  {writeRequest(many, many), model.ErrTooLarge},
	} {
		if got, err := DecodeWrite(c.message, 0, testLimits); !errors.Is(err, c.kind) || got != nil {
			t.Errorf("%s: got %v, %v, want an error of kind %v", name, got, err, c.kind)
		}
	}
}

func BenchmarkDecodeWrite(b *testing.B) {
	var series [][]byte
	for i := range 1000 {
		series = append(series, timeSeries([]string{
			"__name__", "http_requests_total", "code", "200", "handler", "/api/v1/query", "instance", fmt.Sprintf("host-%d:9090", i), "job", "prometheus",
		}, at{float64(i), 1_700_000_000_000}))
	}
	message := writeRequest(series...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeWrite(message, 0, Limits{Labels: 256, Samples: 1e6}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "samples/s")
}

func FuzzDecodeWrite(f *testing.F) {
	f.Add(writeRequest(timeSeries([]string{"__name__", "up", "job", "a"}, at{1, 1}, at{2, 2})))
	f.Add(writeRequest(timeSeries([]string{"time", `\`}, at{math.NaN(), 1})))
	f.Add([]byte{10, 200})
	f.Fuzz(func(t *testing.T, message []byte) {
		got, err := DecodeWrite(message, 0, Limits{Labels: 256, Samples: 1000})
		if err != nil {
			return
		}
		for _, tab := range got.Batch.Tables {
			for i := range tab.Times {
				measurement, tags, ok := model.ParseSeriesKey(got.Batch.Series[tab.Series[i]].Key)
				if !ok || measurement != tab.Measurement || tab.Columns[0].Len() != len(tab.Times) {
					t.Fatalf("row %d of %q has the key %q", i, tab.Measurement, got.Batch.Series[tab.Series[i]].Key)
				}
				if again := model.AppendSeriesKey(nil, measurement, tags); string(again) != string(got.Batch.Series[tab.Series[i]].Key) {
					t.Fatalf("key %q reads as %q", got.Batch.Series[tab.Series[i]].Key, again)
				}
			}
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{5, 16, 'h', 'e', 'l', 'l', 'o'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0})
	f.Fuzz(func(t *testing.T, block []byte) {
		n, err := Unpacked(block)
		if err != nil {
			return
		}
		if n > maxRatio*int64(len(block)) {
			t.Fatalf("%d bytes say that they are %d", len(block), n)
		}
		if got, err := Unpack(make([]byte, n), block); err == nil && int64(len(got)) != n {
			t.Fatalf("got %d bytes, want %d", len(got), n)
		}
	})
}
