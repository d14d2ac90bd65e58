//go:build unix

package block

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/varvedb/varve/model"
)

// benchColumn gives n rows of a gauge from 0 to 100 that moves by at most one a
// row, as integers or as floats of one digit.
func benchColumn(t model.FieldType, n int) *model.Column {
	r := rand.New(rand.NewPCG(1, 1))
	c := &model.Column{Field: model.Field{Type: t}}
	v := int64(50)
	for range n {
		v = min(max(v+int64(r.IntN(3))-1, 0), 100)
		if t == model.Float {
			c.Bits = append(c.Bits, math.Float64bits(float64(v)/10))
		} else {
			c.Bits = append(c.Bits, uint64(v))
		}
	}
	return c
}

var benchTypes = []model.FieldType{model.Integer, model.Float}

func BenchmarkEncode(b *testing.B) {
	for _, typ := range benchTypes {
		b.Run(typ.String(), func(b *testing.B) {
			c := benchColumn(typ, 360)
			var e Encoder
			var p []byte
			perValue(b, 360, func() { p = e.AppendColumn(p[:0], c) })
			b.ReportMetric(float64(len(p))/360, "B/value")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, typ := range benchTypes {
		b.Run(typ.String(), func(b *testing.B) {
			var e Encoder
			p := e.AppendColumn(nil, benchColumn(typ, 360))
			var d Decoder
			var present model.Bitmap
			c := model.Column{Field: model.Field{Type: typ}}
			perValue(b, 360, func() {
				if err := d.Column(&c, &present, 360, p, nil, 0); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func BenchmarkStats(b *testing.B) {
	for _, typ := range benchTypes {
		b.Run(typ.String(), func(b *testing.B) {
			c := benchColumn(typ, 360)
			perValue(b, 360, func() { Stats(c) })
		})
	}
}
