//go:build unix

package block

import (
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/test/harness/kinds"
)

const (
	kindRows   = 360 // of a granule: an hour of rows ten seconds apart
	kindSeries = 10
	kindBlocks = 12 // of a series
)

// kindColumns gives blocks of several series of a kind.
func kindColumns(k kinds.Kind) (columns []*model.Column) {
	for series := range kindSeries {
		c := k.Column(series, kindRows*kindBlocks)
		for i := range kindBlocks {
			part := &model.Column{Field: c.Field}
			for row := i * kindRows; row < (i+1)*kindRows; row++ {
				part.AppendRow(c, row)
			}
			columns = append(columns, part)
		}
	}
	return columns
}

// kindBytes is what blocks of a kind may take, in bytes a value: a little above
// what they do, so that a worse plan is noticed.
var kindBytes = map[string]float64{
	"TSBS cpu":                    0.291,
	"TSBS cpu as floats":          0.291,
	"temperature, 1 digit":        0.313,
	"sensor, 2 digits":            0.893,
	"price, 2 digits":             0.39,
	"sine and noise, 4 digits":    2.01,
	"counter, step 0 to 5000":     1.58,
	"counter, mostly idle":        0.032,
	"gauge of 0 and 1":            0.011,
	"memory, pages of 4096 bytes": 0.657,
	"random walk, full doubles":   6.27,
	"gauss, full doubles":         6.96,
	"ratios, full doubles":        6.79,
	"strings, five states":        0.053,
}

func TestKindsComeBack(t *testing.T) {
	var g Group
	var d Decoder
	for _, k := range kinds.All() {
		t.Run(k.Name, func(t *testing.T) {
			columns := kindColumns(k)
			values := float64(len(columns) * kindRows)
			_, fast := checkGroup(t, &g, &d, Fast, columns)
			_, hot := checkGroup(t, &g, &d, Hot, columns)
			_, cold := checkGroup(t, &g, &d, Cold, columns)
			t.Logf("fast %.4f, hot %.4f, cold %.4f B/value", float64(fast)/values, float64(hot)/values, float64(cold)/values)
			if hot > fast+fast/50 || cold > hot+hot/50 {
				t.Errorf("fast %d, hot %d, cold %d bytes: more effort takes more", fast, hot, cold)
			}
			if most, ok := kindBytes[k.Name]; ok && float64(hot)/values > most {
				t.Errorf("%.4f B/value, want at most %.4f", float64(hot)/values, most)
			}
		})
	}
}

func BenchmarkKinds(b *testing.B) {
	for _, k := range kinds.All() {
		columns := kindColumns(k)
		values := len(columns) * kindRows
		var g Group
		encode := func() ([]byte, []uint64, []uint64, []byte) {
			g.Reset(k.Type, Hot)
			for _, c := range columns {
				g.Add(c)
			}
			return g.Finish()
		}
		b.Run("encode/"+k.Name, func(b *testing.B) {
			perValue(b, values, func() { encode() })
			blocks, _, _, tables := g.Finish()
			b.ReportMetric(float64(len(blocks)+len(tables))/float64(values), "B/value")
		})
		b.Run("decode/"+k.Name, func(b *testing.B) {
			blocks, ends, tableOf, tables := encode()
			shared, err := ReadTables(tables)
			if err != nil {
				b.Fatal(err)
			}
			var d Decoder
			var present model.Bitmap
			c := model.Column{Field: model.Field{Type: k.Type}}
			perValue(b, values, func() {
				start := uint64(0)
				for i, end := range ends {
					if err := d.Column(&c, &present, kindRows, blocks[start:end], shared, int(tableOf[i])); err != nil {
						b.Fatal(err)
					}
					start = end
				}
			})
		})
	}
}
