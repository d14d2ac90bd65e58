package model_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

func TestPackedBatchHasTheSameForm(t *testing.T) {
	r := seeded.Rand(t)
	for range 200 {
		b := randomBatch(r)
		want := model.AppendBatch(nil, b)
		b.Pack()
		if !bytes.Equal(model.AppendBatch(nil, b), want) {
			t.Fatalf("Pack changed the form of %v", b.ID)
		}
		kept, err := model.DecodeBatchKeeping(want)
		if err != nil {
			t.Fatal(err)
		}
		if d := sameBatch(kept, b); d != "" {
			t.Fatalf("what was kept differs: %s", d)
		}
		if len(b.Tables) > 0 && kept.PackedBytes() != b.PackedBytes() {
			t.Errorf("%d bytes were kept, Pack made %d", kept.PackedBytes(), b.PackedBytes())
		}

		// Another stamp and other keys.
		restamped := *kept
		restamped.ID.Seq++
		restamped.Version = model.Version{HLC: b.Version.HLC + 1, ID: restamped.ID}
		restamped.Series = slices.Clone(kept.Series)
		restamped.Series[0].Key = nil
		again, err := model.DecodeBatch(model.AppendBatch(nil, &restamped))
		if err != nil {
			t.Fatal(err)
		}
		if d := sameBatch(again, &restamped); d != "" {
			t.Fatalf("with another stamp: %s", d)
		}

		// Other tables.
		other := *kept
		other.Tables = randomBatch(r).Tables
		for i := range other.Tables {
			clear(other.Tables[i].Series)
		}
		if again, err = model.DecodeBatch(model.AppendBatch(nil, &other)); err != nil {
			t.Fatal(err)
		}
		if d := sameBatch(again, &other); d != "" {
			t.Fatalf("with other tables: %s", d)
		}
	}
}

// BenchmarkAppendPackedBatch is AppendBatch of what Pack prepared: what a batch
// costs for each owner after the first.
func BenchmarkAppendPackedBatch(b *testing.B) {
	batch := randomBatch(seeded.Rand(b))
	batch.Tables = nil
	t := model.Table{Measurement: "cpu", Series: make([]uint32, 5000), Times: make([]int64, 5000)}
	for range 10 {
		t.Columns = append(t.Columns, model.Column{Field: model.Field{Name: "f", Type: model.Float}, Bits: make([]uint64, 5000)})
	}
	r := seeded.Rand(b)
	for i := range t.Columns {
		for j := range t.Columns[i].Bits {
			t.Columns[i].Bits[j] = r.Uint64()
		}
	}
	batch.Tables = []model.Table{t}
	var buf []byte
	for _, name := range []string{"fresh", "packed"} {
		if name == "packed" {
			batch.Pack()
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf = model.AppendBatch(buf[:0], batch)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}
