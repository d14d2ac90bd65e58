package model_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

// randomBatch gives a batch with every shape of column.
func randomBatch(r *rand.Rand) *model.Batch {
	id := model.BatchID{Origin: r.Uint64(), Epoch: r.Uint64(), Seq: r.Uint64()}
	b := &model.Batch{ID: id, Version: model.Version{HLC: model.HLC(r.Uint64()), ID: id}}
	for i := range 1 + r.IntN(20) {
		s := model.Series{Hash: model.SeriesHash{Hi: r.Uint64(), Lo: r.Uint64()}}
		if r.IntN(3) > 0 {
			s.Key = fmt.Appendf(nil, "cpu,host=server%d,region=north", i)
		}
		b.Series = append(b.Series, s)
	}
	for i := range r.IntN(4) {
		rows := []int{0, 1, 2, 63, 64, 65, 300}[r.IntN(7)]
		t := model.Table{Measurement: fmt.Sprint("m", i)}
		unit := []int64{1, 1e3, 1e6, 1e9, 6e10}[r.IntN(5)]
		for range rows {
			t.Series = append(t.Series, uint32(r.IntN(len(b.Series))))
			t.Times = append(t.Times, 1_600_000_000_000_000_000+unit*r.Int64N(1000))
		}
		for j := range r.IntN(8) {
			t.Columns = append(t.Columns, randomColumn(r, fmt.Sprint("f", j), rows))
		}
		b.Tables = append(b.Tables, t)
	}
	return b
}

func randomColumn(r *rand.Rand, name string, rows int) model.Column {
	c := model.Column{Field: model.Field{Name: name, Type: model.FieldType(1 + r.IntN(5))}}
	absent := []int{0, 0, 2, 10}[r.IntN(4)] // one row in so many
	value := randomValues(r, c.Type)
	for range rows {
		switch {
		case absent > 0 && r.IntN(absent) == 0:
			c.AppendNull()
		case c.Type == model.String:
			c.AppendText([]byte(strings.Repeat("text ", r.IntN(6))))
		default:
			c.AppendBits(value())
		}
	}
	return c
}

// randomValues gives a source of bits that looks like some real field.
func randomValues(r *rand.Rand, t model.FieldType) func() uint64 {
	if t == model.Boolean {
		return func() uint64 { return r.Uint64N(2) }
	}
	base, bits := r.Uint64(), r.IntN(65)
	switch r.IntN(4) {
	case 0:
		return func() uint64 { return base } // constant
	case 1:
		return func() uint64 { return r.Uint64() } // anything
	case 2:
		return func() uint64 { return math.Float64bits(float64(r.IntN(2000)-1000) / 8) }
	}
	return func() uint64 { return base + r.Uint64()>>(64-bits)&(1<<bits-1) }
}

// sameBatch compares what batches say: values, not unspecified slots.
func sameBatch(a, b *model.Batch) string {
	return cmp.Diff(plain(a), plain(b))
}

type plainBatch struct {
	ID      model.BatchID
	Version model.Version
	Series  []model.Series
	Tables  []plainTable
	Delete  *model.Delete
}

type plainTable struct {
	Measurement string
	Series      []uint32
	Times       []int64
	Fields      []model.Field
	Values      [][]string
}

func plain(b *model.Batch) plainBatch {
	p := plainBatch{ID: b.ID, Version: b.Version, Series: b.Series, Delete: b.Delete}
	for i := range b.Tables {
		t := &b.Tables[i]
		pt := plainTable{Measurement: t.Measurement, Series: append([]uint32{}, t.Series...), Times: append([]int64{}, t.Times...)}
		for j := range t.Columns {
			c := &t.Columns[j]
			values := make([]string, c.Len())
			for k := range values {
				switch {
				case !c.Has(k):
					values[k] = "none"
				case c.Type == model.String:
					values[k] = fmt.Sprintf("%q", c.Bytes(k))
				default:
					values[k] = fmt.Sprintf("%#x", c.Bits[k])
				}
			}
			pt.Fields = append(pt.Fields, c.Field)
			pt.Values = append(pt.Values, values)
		}
		p.Tables = append(p.Tables, pt)
	}
	return p
}

func TestBatchSurvivesEncoding(t *testing.T) {
	r := seeded.Rand(t)
	for range 300 {
		b := randomBatch(r)
		p := model.AppendBatch([]byte("before"), b)
		got, err := model.DecodeBatch(p[len("before"):])
		if err != nil {
			t.Fatal(err)
		}
		clear(p) // the decoded batch must not share it
		if diff := sameBatch(b, got); diff != "" {
			t.Fatalf("decoded batch differs (-encoded +decoded):\n%s", diff)
		}
	}
}

func TestEveryBitPatternSurvivesEncoding(t *testing.T) {
	patterns := []uint64{
		0, 1, 1 << 63, math.MaxUint64, math.MaxInt64, 1<<63 + 1,
		math.Float64bits(math.Inf(1)), math.Float64bits(math.Inf(-1)), math.Float64bits(math.NaN()), 0xfff8_0000_dead_beef,
		math.Float64bits(math.Copysign(0, -1)), math.Float64bits(0.1), math.Float64bits(math.SmallestNonzeroFloat64),
	}
	for _, typ := range []model.FieldType{model.Float, model.Integer, model.Unsigned} {
		for _, x := range patterns {
			for _, y := range patterns {
				b := oneColumn(model.Column{Field: model.Field{Name: "f", Type: typ}, Bits: []uint64{x, y, x}})
				got, err := model.DecodeBatch(model.AppendBatch(nil, b))
				if err != nil {
					t.Fatal(err)
				}
				if diff := sameBatch(b, got); diff != "" {
					t.Fatalf("%v %#x %#x: %s", typ, x, y, diff)
				}
			}
		}
	}
}

// oneColumn gives a batch of one series with one column, at times 0, 1, 2…
func oneColumn(c model.Column) *model.Batch {
	t := model.Table{Measurement: "m", Series: make([]uint32, c.Len()), Columns: []model.Column{c}}
	for i := range c.Len() {
		t.Times = append(t.Times, int64(i))
	}
	return &model.Batch{Series: []model.Series{{Key: []byte("m")}}, Tables: []model.Table{t}}
}

func TestOutermostTimesSurviveEncoding(t *testing.T) {
	b := oneColumn(model.Column{Field: model.Field{Name: "f", Type: model.Float}, Bits: make([]uint64, 4)})
	b.Tables[0].Times = []int64{model.MinTime, model.MaxTime, 0, -1}
	got, err := model.DecodeBatch(model.AppendBatch(nil, b))
	if err != nil {
		t.Fatal(err)
	}
	if diff := sameBatch(b, got); diff != "" {
		t.Error(diff)
	}
}

func TestDeleteSurvivesEncoding(t *testing.T) {
	for _, d := range []*model.Delete{
		{Range: model.AllTime},
		{Range: model.TimeRange{Min: -5, Max: 7}, Where: model.IsMeasurement("cpu")},
		{Where: model.AllOf(model.IsMeasurement("m"), model.MatchRegexp("host", regexp.MustCompile(`^a.*\d$`), true))},
	} {
		b := &model.Batch{ID: model.BatchID{Origin: 1, Epoch: 2, Seq: 3}, Delete: d}
		b.Version.ID = b.ID
		got, err := model.DecodeBatch(model.AppendBatch(nil, b))
		if err != nil {
			t.Fatal(err)
		}
		sameText := cmp.Comparer(func(a, b *regexp.Regexp) bool {
			return (a == nil) == (b == nil) && (a == nil || a.String() == b.String())
		})
		if diff := cmp.Diff(b, got, sameText); diff != "" {
			t.Errorf("decoded delete differs:\n%s", diff)
		}
	}
}

func TestEncodingIsSmall(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	column := func(typ model.FieldType, value func(i int) uint64) model.Column {
		c := model.Column{Field: model.Field{Name: "f", Type: typ}}
		for i := range 1000 {
			c.AppendBits(value(i))
		}
		return c
	}
	tests := []struct {
		name string
		c    model.Column
		max  int // bytes, with 16 or so for every 1000 times
	}{
		{"constant", column(model.Float, func(int) uint64 { return math.Float64bits(3.14) }), 2100},
		{"percent", column(model.Integer, func(int) uint64 { return r.Uint64N(101) }), 3100},
		{"percent as float", column(model.Float, func(int) uint64 { return math.Float64bits(float64(r.Uint64N(101))) }), 6200},
		{"negative", column(model.Integer, func(int) uint64 { return -r.Uint64N(200) }), 3100},
		{"random", column(model.Float, func(int) uint64 { return r.Uint64() }), 10100},
	}
	for _, tt := range tests {
		if n := len(model.AppendBatch(nil, oneColumn(tt.c))); n > tt.max {
			t.Errorf("%s: %d bytes, want at most %d", tt.name, n, tt.max)
		}
	}
	texts := model.Column{Field: model.Field{Name: "f", Type: model.String}}
	for range 1000 {
		texts.AppendText([]byte("the same message"))
	}
	if n := len(model.AppendBatch(nil, oneColumn(texts))); n > 4000 {
		t.Errorf("1000 equal strings: %d bytes", n)
	}
}

func TestCutsAndFlipsAreCorrupt(t *testing.T) {
	r := seeded.Rand(t)
	p := model.AppendBatch(nil, randomBatch(r))
	for range 1000 {
		n := r.IntN(len(p))
		if _, err := model.DecodeBatch(p[:n]); !errors.Is(err, model.ErrCorrupt) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(p), err)
		}
		flip := byte(1) << r.IntN(8)
		p[n] ^= flip
		if _, err := model.DecodeBatch(p); !errors.Is(err, model.ErrCorrupt) {
			t.Fatalf("byte %d of %d flipped: %v", n, len(p), err)
		}
		p[n] ^= flip
	}
}

func TestLaterFormatIsNotSupported(t *testing.T) {
	p := model.AppendBatch(nil, &model.Batch{})
	p[0]++
	model.ResumBatch(p)
	if _, err := model.DecodeBatch(p); !errors.Is(err, model.ErrNotSupported) {
		t.Errorf("DecodeBatch of a later format = %v", err)
	}
}

func TestFewBytesCannotTakeMuchMemory(t *testing.T) {
	const budget = 1 << 20
	rows := budget / 12 * 2
	big := model.Table{Measurement: "m", Series: make([]uint32, rows), Times: make([]int64, rows)}
	b := &model.Batch{Series: make([]model.Series, 1), Tables: []model.Table{big}}
	p := model.AppendBatch(nil, b)
	if len(p) > 200 {
		t.Fatalf("%d equal rows take %d bytes", rows, len(p))
	}
	if _, err := model.DecodeBatchWithin(p, budget); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("decoding %d rows within %d bytes = %v, want ErrCorrupt", rows, budget, err)
	}
}

// What stores a batch asks MemoryBytes whether it can be read back.
func TestWhatFitsByMemoryBytesIsDecoded(t *testing.T) {
	r := seeded.Rand(t)
	for range 100 {
		b := randomBatch(r)
		if _, err := model.DecodeBatchWithin(model.AppendBatch(nil, b), b.MemoryBytes()); err != nil {
			t.Fatalf("decoding within MemoryBytes, %d: %v", b.MemoryBytes(), err)
		}
	}
}

func TestBatchFormatExample(t *testing.T) {
	b := &model.Batch{
		ID:     model.BatchID{Origin: 1, Epoch: 2, Seq: 3},
		Series: []model.Series{{Hash: model.SeriesHash{Hi: 0x0102030405060708, Lo: 0x090a0b0c0d0e0f10}, Key: []byte("cpu,host=a")}},
		Tables: []model.Table{{
			Measurement: "cpu",
			Series:      []uint32{0, 0},
			Times:       []int64{1_600_000_000_000_000_000, 1_600_000_010_000_000_000},
			Columns: []model.Column{
				{Field: model.Field{Name: "idle", Type: model.Integer}, Bits: []uint64{97, 99}},
				{Field: model.Field{Name: "note", Type: model.String}, Present: model.Bitmap{2}, Ends: []uint32{0, 2}, Text: []byte("ok")},
			},
		}},
	}
	b.Version = model.Version{HLC: model.NewHLC(time.Unix(1_600_000_000, 0)) + 1, ID: b.ID}
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	want := hexExample(t, string(doc))
	got := fmt.Sprintf("%x", model.AppendBatch(nil, b))
	if got != want {
		t.Errorf("the example of FORMAT.md encodes to\n%s\nnot to\n%s", got, want)
	}
}

// hexExample gives the hex digits at the start of the lines of the first block
// that is marked as hex.
func hexExample(t *testing.T, doc string) string {
	t.Helper()
	_, block, ok := strings.Cut(doc, "```hex\n")
	block, _, closed := strings.Cut(block, "```")
	if !ok || !closed {
		t.Fatal("no example in FORMAT.md")
	}
	var digits strings.Builder
	for line := range strings.Lines(block) {
		data, _, _ := strings.Cut(line, "|")
		digits.WriteString(strings.Join(strings.Fields(data), ""))
	}
	return digits.String()
}

func FuzzDecodeBatch(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		f.Add(model.AppendBatch(nil, randomBatch(r)))
	}
	f.Add(model.AppendBatch(nil, &model.Batch{Delete: &model.Delete{Where: model.IsMeasurement("m")}}))
	f.Fuzz(func(t *testing.T, p []byte) {
		model.ResumBatch(p) // or nothing but the checksum would be tested
		b, err := model.DecodeBatchWithin(p, 1<<18)
		if err != nil {
			if !errors.Is(err, model.ErrCorrupt) && !errors.Is(err, model.ErrNotSupported) {
				t.Errorf("error of no kind: %v", err)
			}
			return
		}
		encoded := model.AppendBatch(nil, b)
		again, err := model.DecodeBatch(encoded)
		if err != nil {
			t.Fatalf("encoded again: %v", err)
		}
		if !bytes.Equal(model.AppendBatch(nil, again), encoded) {
			t.Errorf("%x: decoding the encoded batch changes it", p)
		}
	})
}

// hostBatch looks like what an agent on 100 hosts sends: 5000 rows of 10 fields.
func hostBatch() *model.Batch {
	r := rand.New(rand.NewPCG(1, 1))
	b := &model.Batch{Series: make([]model.Series, 100), Tables: make([]model.Table, 1)}
	for i := range b.Series {
		b.Series[i].Hash = model.SeriesHash{Hi: r.Uint64(), Lo: r.Uint64()}
	}
	t := &b.Tables[0]
	t.Measurement = "cpu"
	for i := range 5000 {
		t.Series = append(t.Series, uint32(i%100))
		t.Times = append(t.Times, 1_600_000_000_000_000_000+int64(i/100)*1e10)
	}
	for i := range 10 {
		c := model.Column{Field: model.Field{Name: fmt.Sprint("field", i), Type: model.Integer}}
		for range 5000 {
			c.AppendBits(r.Uint64N(101))
		}
		t.Columns = append(t.Columns, c)
	}
	return b
}

func BenchmarkAppendBatch(b *testing.B) {
	batch := hostBatch()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = model.AppendBatch(dst[:0], batch)
	}
	reportValues(b, len(dst))
}

func BenchmarkDecodeBatch(b *testing.B) {
	p := model.AppendBatch(nil, hostBatch())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := model.DecodeBatch(p); err != nil {
			b.Fatal(err)
		}
	}
	reportValues(b, len(p))
}

func reportValues(b *testing.B, encoded int) {
	const values = 50_000
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/values, "ns/value")
	b.ReportMetric(float64(encoded)/values, "B/value")
}
