package exec

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/varvedb/varve/internal/hll"
	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

func TestListRequestsComeBack(t *testing.T) {
	for _, q := range []*ListRequest{
		{Kind: ListMeasurements},
		{Kind: ListTagValues, Where: model.IsMeasurement("m"), Keys: model.MatchRegexp("", regexp.MustCompile("h.*"), false), Limit: 7},
		{Kind: ListSeries, Where: &model.Predicate{Op: model.Nothing}, Limit: math.MaxInt},
		{Kind: ListTagKeys, Limit: 3, LimitEach: true, Within: &model.TimeRange{Min: -5, Max: 7}},
		{Kind: ListSeries, Count: &Counting{Sketch: true}},
		{Kind: ListSeries, Count: &Counting{GroupBy: []string{"host", "os"}, Part: 2, Parts: 3}},
	} {
		got, err := DecodeListRequest(AppendListRequest(nil, q))
		if err != nil || !reflect.DeepEqual(got, q) {
			t.Errorf("got %+v, %v, want %+v", got, err, q)
		}
	}
	if _, err := DecodeListRequest(AppendListRequest(nil, &ListRequest{Kind: 99})); !errors.Is(err, model.ErrNotSupported) {
		t.Errorf("an unknown kind gave %v, want ErrNotSupported", err)
	}
}

func randomList(r *rand.Rand) *List {
	l := &List{}
	for range r.IntN(200) {
		l.Entries = append(l.Entries, Entry{
			Measurement: fmt.Sprint("m", r.IntN(3)), Key: fmt.Sprintf("m,host=h%d", r.IntN(50)),
			Value: strings.Repeat("v", r.IntN(2)), Type: model.FieldType(r.IntN(6)),
		})
	}
	compare := func(a, b Entry) int { return a.Compare(&b) }
	slices.SortFunc(l.Entries, compare)
	l.Entries = slices.Compact(l.Entries)
	for range r.IntN(20) {
		s := Set{Measurement: fmt.Sprint("m", r.IntN(3)), Tags: []string{fmt.Sprint(r.IntN(9)), ""}}
		for range 1 + r.IntN(9) {
			s.Members = append(s.Members, model.SeriesHash{Hi: r.Uint64N(20), Lo: 7})
		}
		slices.SortFunc(s.Members, model.SeriesHash.Compare)
		s.Members = slices.Compact(s.Members)
		l.Sets = append(l.Sets, s)
	}
	group := func(a, b Set) int { return a.CompareGroup(&b) }
	slices.SortFunc(l.Sets, group)
	l.Sets = slices.CompactFunc(l.Sets, func(a, b Set) bool { return group(a, b) == 0 })
	if r.IntN(3) == 0 {
		l.Sketch = new(hll.Sketch)
		l.Sketch.Add(r.Uint64())
	}
	return l
}

func TestListsComeBack(t *testing.T) {
	r := seeded.Rand(t)
	for range 200 {
		l := randomList(r)
		b := AppendList(nil, l)
		got, err := DecodeList(b)
		if err != nil || !bytes.Equal(AppendList(nil, got), b) {
			t.Fatalf("got %v, %v, want %v", got, err, l)
		}
		joined := new(List)
		if err := l.Pieces(joined.Append); err != nil || !bytes.Equal(AppendList(nil, joined), b) {
			t.Fatalf("the pieces give %v, %v, want %v", joined, err, l)
		}
		if n := r.IntN(len(b)); n > 0 {
			if _, err := DecodeList(b[:n]); !errors.Is(err, model.ErrCorrupt) {
				t.Fatalf("%d of %d bytes gave %v, want ErrCorrupt", n, len(b), err)
			}
		}
	}
}

func TestListOutOfOrderIsRefused(t *testing.T) {
	entries := func(keys ...string) (l List) {
		for _, k := range keys {
			l.Entries = append(l.Entries, Entry{Key: k})
		}
		return l
	}
	sets := func(names ...string) (l List) {
		for _, n := range names {
			l.Sets = append(l.Sets, Set{Measurement: n, Members: []model.SeriesHash{{Hi: 1}}})
		}
		return l
	}
	members := func(of ...uint64) List {
		s := Set{Measurement: "m"}
		for _, hi := range of {
			s.Members = append(s.Members, model.SeriesHash{Hi: hi})
		}
		return List{Sets: []Set{s}}
	}
	for _, pieces := range [][]List{
		{entries("b", "a")},
		{entries("a", "a")},
		{entries("a", "c"), entries("b")},
		{sets("b", "a")},
		{sets("a", "c"), sets("b")},
		{members(2, 1)},
		{members(2), members(2)},
	} {
		l := new(List)
		var err error
		for i := range pieces {
			err = l.Append(&pieces[i])
		}
		if !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("%v gave %v, want ErrCorrupt", pieces, err)
		}
	}
}

func TestListThatGrowsInDecodingIsRefused(t *testing.T) {
	key := strings.Repeat("k", 64<<10)
	x, y := Entry{Key: key + "x"}, Entry{Key: key + "y"}
	l := &List{}
	for range 2500 { // a few bytes each in binary form, 320 MB decoded
		l.Entries = append(l.Entries, x, y)
	}
	if _, err := DecodeList(AppendList(nil, l)); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
}

func FuzzDecodeList(f *testing.F) {
	r := seeded.Rand(f)
	for range 5 {
		f.Add(AppendList(nil, randomList(r)))
		f.Add(AppendListRequest(nil, &ListRequest{Kind: ListSeries, Where: model.IsMeasurement("m")}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := DecodeList(b); err == nil {
			b := AppendList(nil, l)
			if again, err := DecodeList(b); err != nil || !bytes.Equal(AppendList(nil, again), b) {
				t.Errorf("what was decoded does not come back: %v", err)
			}
		}
		if q, err := DecodeListRequest(b); err == nil {
			if _, err := DecodeListRequest(AppendListRequest(nil, q)); err != nil {
				t.Errorf("what was decoded does not come back: %v", err)
			}
		}
	})
}
