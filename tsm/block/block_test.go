package block

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

// same reports where two columns differ in what they say of their rows.
func same(got, want *model.Column) error {
	if got.Len() != want.Len() {
		return fmt.Errorf("%d rows, want %d", got.Len(), want.Len())
	}
	for i := range want.Len() {
		if got.Has(i) != want.Has(i) {
			return fmt.Errorf("row %d has a value: %v, want %v", i, got.Has(i), want.Has(i))
		}
		if !want.Has(i) {
			continue
		}
		if want.Type == model.String {
			if !bytes.Equal(got.Bytes(i), want.Bytes(i)) {
				return fmt.Errorf("row %d is %q, want %q", i, got.Bytes(i), want.Bytes(i))
			}
		} else if got.Bits[i] != want.Bits[i] {
			return fmt.Errorf("row %d is %#x, want %#x", i, got.Bits[i], want.Bits[i])
		}
	}
	return nil
}

func checkColumn(t *testing.T, e *Encoder, d *Decoder, want *model.Column) []byte {
	t.Helper()
	p := e.AppendColumn(nil, want)
	got := model.Column{Field: want.Field}
	var present model.Bitmap
	if err := d.Column(&got, &present, want.Len(), p, nil, 0); err != nil {
		t.Fatalf("decode of %d rows of %v, block % x: %v", want.Len(), want.Type, p[:min(len(p), 64)], err)
	}
	if err := same(&got, want); err != nil {
		t.Fatalf("%v, block % x: %v", want.Type, p[:min(len(p), 64)], err)
	}
	return p
}

// shapes are the ways in which values of a column hang together.
var shapes = []struct {
	name string
	next func(r *rand.Rand, i int, prev uint64) uint64
}{
	{"constant", func(_ *rand.Rand, i int, prev uint64) uint64 { return prev }},
	{"step", func(_ *rand.Rand, i int, prev uint64) uint64 { return prev + 10e9 }},
	{"descending step", func(_ *rand.Rand, i int, prev uint64) uint64 { return prev - 7 }},
	{"walk", func(r *rand.Rand, i int, prev uint64) uint64 { return prev + uint64(r.IntN(3)-1) }},
	{"counter", func(r *rand.Rand, i int, prev uint64) uint64 { return prev + uint64(r.IntN(5000)) }},
	{"pages", func(r *rand.Rand, i int, prev uint64) uint64 { return uint64(r.IntN(1<<20)) * 4096 }},
	{"page steps", func(r *rand.Rand, i int, prev uint64) uint64 { return prev + uint64(r.IntN(100)-50)*4096 }},
	{"jitter", func(r *rand.Rand, i int, prev uint64) uint64 { return prev + 10e9 + uint64(r.IntN(9))*1e6 }},
	{"jumps", func(r *rand.Rand, i int, prev uint64) uint64 {
		if r.IntN(50) == 0 {
			return r.Uint64()
		}
		return prev + 1
	}},
	{"any", func(r *rand.Rand, i int, prev uint64) uint64 { return r.Uint64() >> r.IntN(64) }},
	{"extremes", func(r *rand.Rand, i int, prev uint64) uint64 {
		return []uint64{0, 1, math.MaxUint64, math.MaxInt64, 1 << 63, 1<<63 + 1, 1 << 62}[r.IntN(7)]
	}},
	{"two extremes", func(r *rand.Rand, i int, prev uint64) uint64 { return uint64(r.IntN(2)) << 63 }},
	{"small", func(r *rand.Rand, i int, prev uint64) uint64 { return uint64(r.IntN(200)) }},
	{"float ints", func(r *rand.Rand, i int, prev uint64) uint64 { return math.Float64bits(float64(r.IntN(101))) }},
	{"float cents", func(r *rand.Rand, i int, prev uint64) uint64 { return math.Float64bits(float64(r.IntN(1e6)) / 100) }},
	{"float cents with odd ones", func(r *rand.Rand, i int, prev uint64) uint64 {
		switch r.IntN(40) {
		case 0:
			return math.Float64bits(math.NaN())
		case 1:
			return math.Float64bits(math.Copysign(0, -1))
		case 2:
			return math.Float64bits(math.Inf(1 - 2*r.IntN(2)))
		case 3:
			return 0x7ff0000000000000 | r.Uint64()>>12 // NaN with a payload
		case 4:
			return r.Uint64()>>12 | 1 // subnormal
		}
		return math.Float64bits(float64(r.IntN(1e6)) / 100)
	}},
	{"float any", func(r *rand.Rand, i int, prev uint64) uint64 { return math.Float64bits(r.NormFloat64() * 1e3) }},
	{"float huge", func(r *rand.Rand, i int, prev uint64) uint64 {
		return math.Float64bits(math.Ldexp(r.Float64(), r.IntN(2000)-1000))
	}},
	{"negative zero", func(r *rand.Rand, i int, prev uint64) uint64 { return 1 << 63 }},
}

func lengths(r *rand.Rand) []int {
	return []int{1, 2, 3, 7, 8, 9, 63, 64, 65, 127, 360, 1000, 1024, 1 + r.IntN(1500)}
}

// presence gives the rows that have a value, nil being all.
func presence(r *rand.Rand, n int) model.Bitmap {
	kind := r.IntN(6)
	if kind < 2 {
		return nil
	}
	b := model.NewBitmap(n)
	on := r.IntN(2) == 0
	for i := range n {
		switch kind {
		case 2: // none
		case 3: // some
			on = r.IntN(2) == 0
		case 4: // runs
			if r.IntN(100) == 0 {
				on = !on
			}
		case 5: // all but the first
			on = i > 0
		}
		if on && kind != 2 {
			b.Set(i)
		}
	}
	return b
}

func TestColumnsOfNumbersComeBackBitForBit(t *testing.T) {
	r := seeded.Rand(t)
	var e Encoder
	var d Decoder
	for _, typ := range []model.FieldType{model.Float, model.Integer, model.Unsigned} {
		for _, shape := range shapes {
			for _, n := range lengths(r) {
				c := model.Column{Field: model.Field{Type: typ}, Present: presence(r, n)}
				v := r.Uint64() >> r.IntN(64)
				for i := range n {
					v = shape.next(r, i, v)
					c.Bits = append(c.Bits, v)
				}
				t.Run(fmt.Sprintf("%v/%s/%d", typ, shape.name, n), func(t *testing.T) {
					checkColumn(t, &e, &d, &c)
				})
			}
		}
	}
}

func TestBooleansComeBack(t *testing.T) {
	r := seeded.Rand(t)
	var e Encoder
	var d Decoder
	for range 300 {
		n := lengths(r)[r.IntN(14)]
		c := model.Column{Field: model.Field{Type: model.Boolean}, Present: presence(r, n), Bits: make([]uint64, n)}
		set := presence(r, n)
		for i := range n {
			if set.Get(i) {
				c.Bits[i] = 1
			}
		}
		checkColumn(t, &e, &d, &c)
	}
}

func TestStringsComeBack(t *testing.T) {
	r := seeded.Rand(t)
	var e Encoder
	var d Decoder
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	words := [][]byte{nil, []byte("ok"), []byte("with\x00nul"), []byte("\xff\xfe"), random(300)}
	kinds := []func() []byte{
		func() []byte { return nil },
		func() []byte { return words[r.IntN(len(words))] },
		func() []byte { return random(r.IntN(30)) },
		func() []byte { return fmt.Appendf(nil, "request %d from host-%d done", r.IntN(1e6), r.IntN(1e3)) },
	}
	for range 40 {
		for _, next := range kinds {
			n := lengths(r)[r.IntN(14)]
			present := presence(r, n)
			c := model.Column{Field: model.Field{Type: model.String}}
			for i := range n {
				if present.Get(i) {
					c.AppendText(next())
				} else {
					c.AppendNull()
				}
			}
			checkColumn(t, &e, &d, &c)
		}
	}
}

func TestLargeStringsComeBack(t *testing.T) {
	var e Encoder
	var d Decoder
	c := model.Column{Field: model.Field{Type: model.String}}
	for range 200 {
		c.AppendText(bytes.Repeat([]byte("x"), 64<<10)) // beyond what a dictionary may expand to
	}
	if p := checkColumn(t, &e, &d, &c); len(p) > c.Len()*64<<10/10 {
		t.Errorf("%d bytes for one string 200 times", len(p))
	}
}

func TestIntsComeBack(t *testing.T) {
	r := seeded.Rand(t)
	var e Encoder
	var d Decoder
	for _, shape := range shapes {
		for _, n := range append(lengths(r), 0) {
			want := make([]int64, n)
			v := r.Uint64() >> r.IntN(64)
			for i := range want {
				v = shape.next(r, i, v)
				want[i] = int64(v)
			}
			p := e.AppendInts(nil, want)
			got, err := d.Ints(nil, n, p)
			if err != nil {
				t.Fatalf("%s: decode of %d: %v", shape.name, n, err)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("%s: value %d is %d, want %d", shape.name, i, got[i], want[i])
				}
			}
		}
	}
}

// The oracle of packing is one bit after the other.
func TestUnpackInvertsAppendPacked(t *testing.T) {
	r := seeded.Rand(t)
	for width := range 65 {
		for n := range 140 {
			values := make([]uint64, n)
			for i := range values {
				if width > 0 {
					values[i] = r.Uint64() >> (64 - width)
				}
			}
			p := appendPacked(nil, values, width)
			if len(p) != packedLen(n, width) {
				t.Fatalf("%d bytes for %d values of %d bits, want %d", len(p), n, width, packedLen(n, width))
			}
			got := make([]uint64, n)
			unpack(got, p, width)
			for i, v := range values {
				slow := uint64(0)
				for b := range width {
					at := i*width + b
					slow |= uint64(p[at/8]>>(at%8)&1) << b
				}
				if slow != v || got[i] != v {
					t.Fatalf("width %d, value %d: bits say %#x, unpack %#x, want %#x", width, i, slow, got[i], v)
				}
			}
		}
	}
}

// Blocks that are cut, lengthened or changed give an error or some value, and
// never a panic.
func TestDamagedBlocksDoNotPanic(t *testing.T) {
	r := seeded.Rand(t)
	var e Encoder
	var d Decoder
	var present model.Bitmap
	damaged := 0
	for range 3000 {
		typ := model.FieldType(1 + r.IntN(5))
		n := 1 + r.IntN(200)
		c := model.Column{Field: model.Field{Type: typ}, Present: presence(r, n)}
		shape := shapes[r.IntN(len(shapes))]
		v := r.Uint64()
		for i := range n {
			v = shape.next(r, i, v)
			if typ == model.String {
				c.Text = append(c.Text, make([]byte, v%20)...)
				c.Ends = append(c.Ends, uint32(len(c.Text)))
			} else {
				c.Bits = append(c.Bits, v)
			}
		}
		p := e.AppendColumn(nil, &c)
		got := model.Column{Field: c.Field}
		if err := d.Column(&got, &present, n, p[:r.IntN(len(p))], nil, 0); err == nil {
			t.Fatalf("%v: a cut block decodes", typ)
		} else if !errors.Is(err, model.ErrCorrupt) {
			t.Fatalf("%v: a cut block gives %v", typ, err)
		}
		if err := d.Column(&got, &present, n, append(p, 0), nil, 0); err == nil {
			t.Fatalf("%v: a block with a byte too many decodes", typ)
		}
		for range 1 + r.IntN(4) {
			p[r.IntN(len(p))] ^= 1 << r.IntN(8)
		}
		if d.Column(&got, &present, n, p, nil, 0) != nil {
			damaged++
		}
	}
	if damaged == 0 {
		t.Error("no damage was found")
	}
}

func FuzzColumn(f *testing.F) {
	var e Encoder
	r := rand.New(rand.NewPCG(1, 1))
	for typ := model.Float; typ <= model.Boolean; typ++ {
		for _, shape := range shapes {
			c := model.Column{Field: model.Field{Type: typ}, Present: presence(r, 20)}
			v := uint64(5)
			for i := range 20 {
				v = shape.next(r, i, v)
				if typ == model.String {
					c.Text = append(c.Text, make([]byte, v%20)...)
					c.Ends = append(c.Ends, uint32(len(c.Text)))
				} else {
					c.Bits = append(c.Bits, v)
				}
			}
			f.Add(uint8(typ), uint16(20), e.AppendColumn(nil, &c))
		}
	}
	f.Fuzz(func(t *testing.T, typ uint8, n uint16, p []byte) {
		var d Decoder
		var present model.Bitmap
		c := model.Column{Field: model.Field{Type: model.FieldType(typ)}}
		err := d.Column(&c, &present, int(n), p, nil, 0)
		if err != nil {
			if !errors.Is(err, model.ErrCorrupt) {
				t.Fatalf("error %v, want %v", err, model.ErrCorrupt)
			}
			return
		}
		if len(c.Text) > max(snappyRatio*len(p), maxDictionaryText) {
			t.Fatalf("%d bytes of text from a block of %d", len(c.Text), len(p))
		}
		if c.Type == model.Boolean {
			for i, v := range c.Bits {
				if v > 1 {
					t.Fatalf("row %d of a boolean is %d", i, v)
				}
			}
		}
		if n == 0 {
			return
		}
		// What decodes can be encoded again, and says the same.
		var e Encoder
		again := model.Column{Field: c.Field}
		var present2 model.Bitmap
		if err := d.Column(&again, &present2, int(n), e.AppendColumn(nil, &c), nil, 0); err != nil {
			t.Fatalf("second decode: %v", err)
		}
		if err := same(&again, &c); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzInts(f *testing.F) {
	var e Encoder
	f.Add(uint16(4), e.AppendInts(nil, []int64{1, 2, 3, 4}))
	f.Add(uint16(4), e.AppendInts(nil, []int64{1, 2, 300, 4}))
	f.Add(uint16(4), e.AppendInts(nil, []int64{math.MinInt64, 0, math.MaxInt64, -1}))
	f.Fuzz(func(t *testing.T, n uint16, p []byte) {
		var d Decoder
		got, err := d.Ints(nil, int(n), p)
		if err == nil && len(got) != int(n) {
			t.Fatalf("%d values, want %d", len(got), n)
		}
		if err != nil && !errors.Is(err, model.ErrCorrupt) {
			t.Fatalf("error %v, want %v", err, model.ErrCorrupt)
		}
	})
}
