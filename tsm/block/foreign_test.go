package block

import (
	"math/rand/v2"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

// walk gives n integers that differ by about width.
func walk(r *rand.Rand, n int, width float64) *model.Column {
	c := &model.Column{Field: model.Field{Type: model.Integer}}
	v := int64(1000)
	for range n {
		v += int64(width * r.NormFloat64())
		c.Bits = append(c.Bits, uint64(v))
	}
	return c
}

func TestGroupTakesBlocksOfOthersWithTheirTables(t *testing.T) {
	r := seeded.Rand(t)
	var from, to Group
	to.Reset(model.Integer, Hot)
	var want []*model.Column
	size := 0
	for i := range 20 {
		from.Reset(model.Integer, Cold)
		var columns []*model.Column
		for range 8 {
			columns = append(columns, walk(r, 360, float64(2+i/2)))
			from.Add(columns[len(columns)-1])
		}
		blocks, ends, tableOf, raw := from.Finish()
		tables, err := ReadTables(raw)
		if err != nil {
			t.Fatal(err)
		}
		start := uint64(0)
		for k := range columns {
			p := blocks[start:ends[k]]
			start = ends[k]
			if k == 5 { // some are encoded again, among the others
				to.Add(columns[k])
			} else if !to.AddBlock(p, tables, int(tableOf[k])) {
				t.Fatalf("block %d of group %d is refused", k, i)
			}
			size += len(p)
		}
		want = append(want, columns...)
	}
	if to.Len() != len(want) {
		t.Fatalf("Len %d after %d blocks", to.Len(), len(want))
	}
	blocks, ends, tableOf, raw := to.Finish()
	if len(blocks) > size+size/20 {
		t.Errorf("%d bytes of blocks that were %d", len(blocks), size)
	}
	tables, err := ReadTables(raw)
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	start := uint64(0)
	for i, c := range want {
		got := model.Column{Field: c.Field}
		var present model.Bitmap
		if err := d.Column(&got, &present, c.Len(), blocks[start:ends[i]], tables, int(tableOf[i])); err != nil {
			t.Fatalf("block %d, table %d of %d: %v", i, tableOf[i], tables.Len(), err)
		}
		if err := same(&got, c); err != nil {
			t.Fatalf("block %d: %v", i, err)
		}
		start = ends[i]
	}
}

func TestGroupRefusesBlocksWhenItHasTooManyTables(t *testing.T) {
	r := seeded.Rand(t)
	var from, to Group
	to.Reset(model.Integer, Hot)
	seen := map[string]bool{}
	for i := range 2 * MaxTables {
		from.Reset(model.Integer, Cold)
		from.Add(walk(r, 700, 2+float64(i)/8))
		blocks, _, tableOf, raw := from.Finish()
		tables, err := ReadTables(raw)
		if err != nil {
			t.Fatal(err)
		}
		if tableOf[0] == 0 {
			continue
		}
		before := to.Len()
		if !to.AddBlock(blocks, tables, 1) {
			if to.Len() != before {
				t.Error("a block that is refused is added")
			}
			if len(seen) < MaxTables-maxPlans {
				t.Errorf("refused after %d tables", len(seen))
			}
			_, _, _, raw := to.Finish()
			if all, err := ReadTables(raw); err != nil || all.Len() != len(seen) {
				t.Errorf("%d tables, %v, want %d", all.Len(), err, len(seen))
			}
			return
		}
		seen[string(raw)] = true
	}
	t.Errorf("%d tables are taken", len(seen))
}
