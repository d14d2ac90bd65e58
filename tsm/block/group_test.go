package block

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

var efforts = []Effort{Fast, Hot, Cold}

// checkGroup encodes columns of one type as a group, decodes them and gives the
// bytes.
func checkGroup(t *testing.T, g *Group, d *Decoder, e Effort, columns []*model.Column) (blocks []byte, size int) {
	t.Helper()
	g.Reset(columns[0].Type, e)
	for _, c := range columns {
		g.Add(c)
	}
	blocks, ends, tableOf, tables := g.Finish()
	if len(ends) != len(columns) || len(tableOf) != len(columns) || g.Len() != len(columns) {
		t.Fatalf("%d ends, %d numbers of tables, Len %d of %d blocks", len(ends), len(tableOf), g.Len(), len(columns))
	}
	shared, err := ReadTables(tables)
	if err != nil {
		t.Fatalf("tables % x: %v", tables, err)
	}
	start := uint64(0)
	for i, want := range columns {
		p := blocks[start:ends[i]]
		start = ends[i]
		got := model.Column{Field: want.Field}
		var present model.Bitmap
		if err := d.Column(&got, &present, want.Len(), p, shared, int(tableOf[i])); err != nil {
			t.Fatalf("decode of block %d, %d rows of %v, table %d, % x: %v", i, want.Len(), want.Type, tableOf[i], p[:min(len(p), 64)], err)
		}
		if err := same(&got, want); err != nil {
			t.Fatalf("%v, block %d, table %d, % x: %v", want.Type, i, tableOf[i], p[:min(len(p), 64)], err)
		}
	}
	return blocks, len(blocks) + len(tables)
}

func TestGroupsComeBackBitForBit(t *testing.T) {
	r := seeded.Rand(t)
	var g Group
	var d Decoder
	for _, typ := range []model.FieldType{model.Float, model.Integer, model.Unsigned} {
		for _, shape := range append(shapes, shapes[r.IntN(len(shapes))]) {
			for _, e := range efforts {
				t.Run(fmt.Sprintf("%v/%s/%d", typ, shape.name, e), func(t *testing.T) {
					var columns []*model.Column
					for range 1 + r.IntN(20) {
						use := shape
						if r.IntN(8) == 0 { // one unlike the others
							use = shapes[r.IntN(len(shapes))]
						}
						n := lengths(r)[r.IntN(14)]
						c := &model.Column{Field: model.Field{Type: typ}, Present: presence(r, n)}
						v := r.Uint64() >> r.IntN(64)
						for i := range n {
							v = use.next(r, i, v)
							c.Bits = append(c.Bits, v)
						}
						if c.Count() > 0 {
							columns = append(columns, c)
						}
					}
					if len(columns) > 0 {
						checkGroup(t, &g, &d, e, columns)
					}
				})
			}
		}
	}
}

func TestGroupsOfStringsComeBack(t *testing.T) {
	r := seeded.Rand(t)
	var g Group
	var d Decoder
	words := make([]string, 300)
	for i := range words {
		words[i] = fmt.Sprintf("%0*d", r.IntN(40), i)
	}
	kinds := []func(i int) string{
		func(int) string { return "" },
		func(int) string { return words[r.IntN(5)] },
		func(int) string { return words[r.IntN(len(words))] },
		func(i int) string { return words[i/100%len(words)] },
		func(int) string { return fmt.Sprintf("request %d of host-%d", r.IntN(1e6), r.IntN(1e3)) },
		func(int) string { return string(rune(r.IntN(1e6))) },
	}
	for range 20 {
		for _, e := range efforts {
			var columns []*model.Column
			usual := kinds[r.IntN(len(kinds))]
			for range 1 + r.IntN(30) {
				next := usual
				if r.IntN(8) == 0 {
					next = kinds[r.IntN(len(kinds))]
				}
				n := lengths(r)[r.IntN(14)]
				present := presence(r, n)
				c := &model.Column{Field: model.Field{Type: model.String}}
				for i := range n {
					if present.Get(i) {
						c.AppendText([]byte(next(i)))
					} else {
						c.AppendNull()
					}
				}
				if c.Count() > 0 {
					columns = append(columns, c)
				}
			}
			if len(columns) > 0 {
				checkGroup(t, &g, &d, e, columns)
			}
		}
	}
}

func BenchmarkTable(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	c := codeOf(countsOf(skewed(r, 3600, 1.05)))
	table := new(lookup)
	perValue(b, 1, func() { table.build(&c) })
}
