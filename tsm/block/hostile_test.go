package block

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

// anyGroup gives a few columns of a type and what a Group makes of them.
func anyGroup(r *rand.Rand, typ model.FieldType, rows int) (blocks []byte, ends, tableOf []uint64, tables []byte) {
	var g Group
	g.Reset(typ, Effort(r.IntN(3)))
	shape := shapes[r.IntN(len(shapes))]
	for range 4 {
		c := &model.Column{Field: model.Field{Type: typ}, Present: presence(r, rows)}
		v := r.Uint64() >> r.IntN(64)
		for i := range rows {
			v = shape.next(r, i, v)
			switch typ {
			case model.String:
				c.Text = append(c.Text, "strings of some lengths"[:v%20]...)
				c.Ends = append(c.Ends, uint32(len(c.Text)))
			case model.Boolean:
				c.Bits = append(c.Bits, v&1)
			default:
				c.Bits = append(c.Bits, v)
			}
		}
		if c.Count() > 0 {
			g.Add(c)
		}
	}
	return g.Finish()
}

// decodeHostile decodes what may be anything. It must give an error or rows,
// and not take more memory than those need.
func decodeHostile(t *testing.T, typ model.FieldType, n int, p, tables []byte, table int) bool {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var d Decoder
	var present model.Bitmap
	c := model.Column{Field: model.Field{Type: typ}}
	shared, err := ReadTables(tables)
	if err == nil {
		err = d.Column(&c, &present, n, p, shared, table)
	}
	runtime.ReadMemStats(&after)
	if err != nil && !errors.Is(err, model.ErrCorrupt) {
		t.Fatalf("error %v, want %v", err, model.ErrCorrupt)
	}
	if err == nil && c.Len() != n {
		t.Fatalf("%d rows, want %d", c.Len(), n)
	}
	// Ten words a row; a table has 40 KiB at most, with what decodes fast; text as
	// promised, and as much again while its memory grows; zstd has a window.
	most := 80*n + 40<<10*(1+len(tables)/5) + 50*len(p) + 3*maxDictionaryText + 8*zstdWindow
	if took := int(after.TotalAlloc - before.TotalAlloc); took > most {
		t.Fatalf("%d bytes of memory taken for %d rows of %v from a block of %d bytes and tables of %d, want at most %d",
			took, n, typ, len(p), len(tables), most)
	}
	return err == nil
}

func TestDamagedGroupsDoNotPanic(t *testing.T) {
	r := seeded.Rand(t)
	found := 0
	for range 400 {
		typ := model.FieldType(1 + r.IntN(5))
		n := 1 + r.IntN(700)
		blocks, ends, tableOf, tables := anyGroup(r, typ, n)
		if len(ends) == 0 {
			continue
		}
		p, table := blocks[:ends[0]], int(tableOf[0])
		if decodeHostile(t, typ, n, p, tables, len(ends)+10) {
			t.Fatal("a block with a table that is not there decodes")
		}
		if len(p) > 0 && decodeHostile(t, typ, n, p[:r.IntN(len(p))], tables, table) {
			t.Fatalf("%v: a cut block decodes", typ)
		}
		if len(tables) > 0 {
			if _, err := ReadTables(tables[:1+r.IntN(len(tables)-1)]); err == nil {
				t.Fatalf("%v: cut tables are read", typ)
			}
		}
		for _, b := range [][]byte{p, tables} {
			if len(b) == 0 {
				continue
			}
			for range 1 + r.IntN(3) {
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			}
			if !decodeHostile(t, typ, n, p, tables, table) {
				found++
			}
		}
	}
	if found == 0 {
		t.Error("no damage was found")
	}
}

func FuzzTables(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for typ := model.Float; typ <= model.Boolean; typ++ {
		for range 20 {
			n := 300 + r.IntN(300)
			blocks, ends, tableOf, tables := anyGroup(r, typ, n)
			if len(ends) > 0 {
				f.Add(uint8(typ), uint16(n), blocks[:ends[0]], tables, uint8(tableOf[0]))
			}
		}
	}
	f.Fuzz(func(t *testing.T, typ uint8, n uint16, p, tables []byte, table uint8) {
		decodeHostile(t, model.FieldType(typ), int(n), p, tables, int(table))
	})
}

// FuzzGroup takes bytes for columns: what they say must come back.
func FuzzGroup(f *testing.F) {
	f.Add(uint8(1), uint8(1), uint64(3), []byte("some bytes that become values, a few at a time"))
	f.Add(uint8(2), uint8(2), uint64(9), []byte{1, 2, 3, 4, 1, 2, 3, 4, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, typ, effort uint8, seed uint64, p []byte) {
		types := [...]model.FieldType{model.Float, model.Integer, model.Unsigned}
		typed := types[int(typ)%len(types)]
		if len(p) == 0 || len(p) > 4000 {
			return
		}
		// The bytes are steps of a walk, scaled and repeated, so that there are
		// enough values for tables.
		r := rand.New(rand.NewPCG(seed, 1))
		shift := r.IntN(60)
		var columns []*model.Column
		for range 1 + r.IntN(6) {
			c := &model.Column{Field: model.Field{Type: typed}}
			v := r.Uint64()
			for i := range 1 + r.IntN(900) {
				step := uint64(int64(int8(p[i%len(p)]))) << shift
				if v += step; r.IntN(100) == 0 {
					v ^= r.Uint64() >> r.IntN(64)
				}
				c.Bits = append(c.Bits, v)
			}
			columns = append(columns, c)
		}
		var g Group
		var d Decoder
		checkGroup(t, &g, &d, Effort(effort%3), columns)
	})
}
