package block

import (
	"bytes"
	"math"
	"testing"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/test/harness/kinds"
)

func TestDescribeNamesTheCodecAndCountsValues(t *testing.T) {
	floats := func(v ...float64) model.Column {
		c := model.Column{Field: model.Field{Name: "f", Type: model.Float}}
		for _, f := range v {
			c.AppendBits(math.Float64bits(f))
		}
		return c
	}
	column := func(typ model.FieldType, v ...uint64) model.Column {
		c := model.Column{Field: model.Field{Name: "f", Type: typ}}
		for _, u := range v {
			c.AppendBits(u)
		}
		return c
	}
	texts := func(v ...string) model.Column {
		c := model.Column{Field: model.Field{Name: "f", Type: model.String}}
		for _, s := range v {
			c.AppendText([]byte(s))
		}
		return c
	}
	holes := column(model.Integer, 1, 2, 3)
	holes.AppendNull()
	for _, c := range []struct {
		column model.Column
		want   Description
	}{
		{column(model.Integer, 7, 7, 7), Description{"constant", 3}},
		{column(model.Unsigned, 10, 20, 30), Description{"step", 3}},
		{holes, Description{"step", 3}},
		{column(model.Boolean, 1, 0), Description{"bits", 2}},
		{floats(0.5, 1.5, 0.25, 0.75, 1, 2), Description{"decimal frame", 6}},
		{floats(math.Pi, math.E, math.Sqrt2), Description{"bits delta", 3}},
		{texts("ok", "ok", "ok", "ok"), Description{"dictionary", 4}},
		{texts("a", "b", "c"), Description{"raw", 3}},
	} {
		var e Encoder
		block := e.AppendColumn(nil, &c.column)
		got, err := Describe(c.column.Type, c.column.Len(), block, nil, 0)
		if err != nil || got != c.want {
			t.Errorf("Describe(%v) = %+v, %v; want %+v", c.column.Type, got, err, c.want)
		}
		for i := range block {
			bad := bytes.Clone(block)
			bad[i] ^= 0xff
			_, _ = Describe(c.column.Type, c.column.Len(), bad, nil, 0) // must not panic
			_, _ = Describe(c.column.Type, c.column.Len(), bad[:i], nil, 0)
		}
	}
}

func TestDescribeNamesTheSharedCode(t *testing.T) {
	var g Group
	g.Reset(model.Float, Hot)
	c := model.Column{Field: model.Field{Name: "f", Type: model.Float}}
	for i := range 4096 {
		c.AppendBits(math.Float64bits(float64(50 + i*i%7)))
	}
	g.Add(&c)
	blocks, _, tableOf, raw := g.Finish()
	tables, err := ReadTables(raw)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Describe(model.Float, c.Len(), blocks, tables, int(tableOf[0]))
	if err != nil || tableOf[0] == 0 || got.Values != c.Len() || got.Codec != "decimal, shared code" {
		t.Errorf("Describe = %+v, %v with table %d; want decimals of a shared code", got, err, tableOf[0])
	}
}

func TestDescribeKnowsWhateverIsWritten(t *testing.T) {
	for _, k := range kinds.All() {
		for _, effort := range []Effort{Fast, Hot, Cold} {
			var g Group
			c := k.Column(0, 3*360)
			g.Reset(c.Type, effort)
			var part model.Column
			for row := 0; row < c.Len(); row++ {
				if row%360 == 0 && row > 0 {
					g.Add(&part)
					part.Reset()
				}
				part.Field = c.Field
				part.AppendRow(c, row)
			}
			blocks, ends, tableOf, raw := g.Finish()
			tables, err := ReadTables(raw)
			if err != nil {
				t.Fatal(err)
			}
			start := uint64(0)
			for i, end := range ends {
				if _, err := Describe(c.Type, 360, blocks[start:end], tables, int(tableOf[i])); err != nil {
					t.Errorf("%s at effort %d, block %d with table %d: %v", k.Name, effort, i, tableOf[i], err)
				}
				start = end
			}
		}
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add(uint8(1), uint16(3), []byte{1, 2, 14, 20, 20}, []byte{}, uint8(0))
	f.Add(uint8(0), uint16(300), []byte{1, 0, 0}, []byte{1, 3, 1, 1, 0, 0, 2}, uint8(1))
	f.Fuzz(func(t *testing.T, typ uint8, n uint16, p, tables []byte, table uint8) {
		shared, err := ReadTables(tables)
		if err != nil {
			return
		}
		d, err := Describe(model.FieldType(typ), int(n), p, shared, int(table))
		if err == nil && (d.Codec == "" || d.Values > int(n)) {
			t.Errorf("Describe = %+v of %d rows", d, n)
		}
	})
}
