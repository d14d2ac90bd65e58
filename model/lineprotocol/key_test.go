package lineprotocol

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/varvedb/varve/model"
)

var keySeeds = []string{
	"cpu", "cpu,a=1,b=2", "cpu,b=2,a=1", "cpu,c=3,a=1,b=2", "cpu,aa=1,a=2,ab=3",
	"cpu,a=1,a=2", "cpu,b=1,a=1,b=2", "cpu,time=1", "cpu,b=1,time=2", "cpu,a=b=c", "cpu,a==",
	"cpu,a=", "cpu,=1", "cpu,", "cpu,,", "cpu,a", "a=b,c=d", "\"m\",\"t\"=\"v\"", "m,t=\xff,s=\u00e9",
	"#m,a=1", ",a=1", "m\\,n,a=1", "m,a\\==1",
	"m," + strings.Join(manyTags(maxOrderedTags), ","),
	"m," + strings.Join(manyTags(maxOrderedTags+1), ","),
}

// manyTags gives n tags in reverse order.
func manyTags(n int) []string {
	var tags []string
	for i := range n {
		tags = append(tags, fmt.Sprintf("t%03d=%d", n-i, i))
	}
	return tags
}

func TestKeysAreCanonical(t *testing.T) {
	for _, s := range keySeeds {
		checkKey(t, []byte(s))
	}
}

func FuzzKeysAreCanonical(f *testing.F) {
	for _, s := range keySeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, key []byte) { checkKey(t, key) })
}

// checkKey holds the keys that are learnt against the library and against the
// reference decoder, each on its first line and on later ones.
func checkKey(t *testing.T, key []byte) {
	t.Helper()
	if bytes.ContainsAny(key, " \n") || len(key) == 0 {
		return
	}
	line := append(slices.Clone(key), " v=1 1"...)
	w := newWorker(Config{HashSeed: testSeed, Workers: 1, MemoBytes: 1 << 20, MaxColumns: 10, MaxErrorBytes: 1 << 10}, &pool{})
	w.begin(Options{Now: testNow})
	raw, ok := w.plainKey(line)
	if !ok {
		checkWays(t, line, Options{Now: testNow})
		return
	}
	got := string(w.canonical(w.memo.raws.at(raw), key))
	again, ok := w.plainKey(line)
	if !ok || again != raw {
		t.Fatalf("%q is learnt twice", key)
	}
	p := point{maxFields: 10}
	if err := new(reference).decode(line, Nanosecond, &p); err != nil {
		t.Fatalf("%q is learnt, InfluxDB says %v", key, err)
	}
	if want := canonicalOf(p.measurement, p.tags); got != want {
		t.Fatalf("%q is learnt as %q, InfluxDB has %q", key, got, want)
	}
	if !libraryReads(line) {
		return
	}
	d := lineprotocol.NewDecoderWithBytes(line)
	if !d.Next() {
		t.Fatalf("%q is learnt, the library reads nothing", key)
	}
	measurement, err := d.Measurement()
	if err != nil {
		return // it is stricter than InfluxDB
	}
	var tags []pair
	for {
		name, value, err := d.NextTag()
		if err != nil {
			return
		}
		if name == nil {
			break
		}
		tags = append(tags, pair{name, value})
	}
	if _, err := sortTags(tags); err != nil {
		t.Fatalf("%q is learnt, the library says %v", key, err)
	}
	if want := canonicalOf(measurement, tags); got != want {
		t.Fatalf("%q is learnt as %q, the library has %q", key, got, want)
	}
}

func canonicalOf(measurement []byte, tags []pair) string {
	var sorted model.Tags
	for _, t := range tags {
		sorted = append(sorted, model.Tag{Key: string(t.key), Value: string(t.value)})
	}
	return string(model.AppendSeriesKey(nil, string(measurement), sorted))
}

func TestTagsInAnyOrderAreOneSeries(t *testing.T) {
	body := "m,b=1,a=2,c=3 v=1 1\nm,a=2,b=1,c=3 v=2 2\nm,c=3,b=1,a=2 v=3 3\nm,b=1,a=2,c=3 v=4 4\n"
	p := testParser(nil)
	for range 2 {
		r, err := p.Parse([]byte(body), Options{Now: testNow})
		if err != nil || r.Err != nil {
			t.Fatal(err, r.Err)
		}
		if len(r.Batch.Series) != 1 || string(r.Batch.Series[0].Key) != "m,a=2,b=1,c=3" {
			t.Errorf("%d series, the first %q", len(r.Batch.Series), r.Batch.Series[0].Key)
		}
		r.Release()
	}
}

// With more orders than are remembered, the text of keys is.
func TestOrdersOfTagsAreBounded(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e", "f", "g"}
	var body bytes.Buffer
	var permute func(done, left []string)
	permute = func(done, left []string) {
		if len(left) == 0 {
			fmt.Fprintf(&body, "m,%s=1 v=1 %d\n", strings.Join(done, "=1,"), body.Len())
		}
		for i := range left {
			permute(append(slices.Clone(done), left[i]), slices.Delete(slices.Clone(left), i, i+1))
		}
	}
	permute(nil, names)
	p := testParser(nil)
	for range 2 {
		r, err := p.Parse(body.Bytes(), Options{Now: testNow})
		if err != nil || r.Err != nil {
			t.Fatal(err, r.Err)
		}
		if got := string(r.Batch.Series[0].Key); len(r.Batch.Series) != 1 || got != "m,a=1,b=1,c=1,d=1,e=1,f=1,g=1" {
			t.Fatalf("%d series, the first %q", len(r.Batch.Series), got)
		}
		if rows := r.Batch.Rows(); rows != 5040 {
			t.Fatalf("%d rows", rows)
		}
	}
}
