package tsm

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// heap gives the bytes that are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What a memtable says it holds is what bounds the memory of a node, so it must
// be about what it takes, whatever the shape of the data.
func TestMemtableKnowsItsSize(t *testing.T) {
	for name, batch := range map[string]func(i int) *model.Table{
		"many measurements": func(i int) *model.Table {
			return &model.Table{Measurement: fmt.Sprint("m", i)}
		},
		"fields that few rows have": func(i int) *model.Table {
			return &model.Table{Measurement: "m", Columns: []model.Column{{Field: model.Field{Name: fmt.Sprint("f", i%500), Type: model.Float}, Bits: []uint64{1}}}}
		},
		"small batches": func(int) *model.Table {
			return &model.Table{Measurement: "m", Columns: []model.Column{{Field: model.Field{Name: "f", Type: model.Float}, Bits: []uint64{1}}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, before := newMemtable(nil), heap()
			for i := range 10_000 {
				table := batch(i)
				table.Series, table.Times = []uint32{0}, []int64{int64(i)}
				if len(table.Columns) == 0 {
					table.Columns = []model.Column{{Field: model.Field{Name: "f", Type: model.Float}, Bits: []uint64{1}}}
				}
				b := &model.Batch{ID: model.BatchID{Origin: 1, Epoch: 1, Seq: uint64(i + 1)}, Tables: []model.Table{*table}}
				b.Version = model.Version{HLC: model.HLC(i), ID: b.ID}
				m.insert(b, []uint32{0}, nil)
			}
			took := heap() - before
			t.Logf("%d rows take %d bytes, the memtable says %d", m.rows, took, m.bytes())
			if took > 2*m.bytes() {
				t.Errorf("the memtable takes %d bytes and says %d", took, m.bytes())
			}
			runtime.KeepAlive(m)
		})
	}
}

func TestFewValuesPerFieldTakeFewBytesPerRow(t *testing.T) {
	s, h := newShard(t, vfs.NewMem(), nil)
	key := []byte("m")
	batch := func(field string, times ...int64) *model.Batch {
		b := &model.Batch{Series: []model.Series{{Hash: model.HashSeriesKey(key, hashSeed), Key: key}}}
		table := model.Table{Measurement: "m", Columns: []model.Column{{Field: model.Field{Name: field, Type: model.Float}}}}
		for _, at := range times {
			table.Series = append(table.Series, 0)
			table.Times = append(table.Times, at)
			table.Columns[0].AppendBits(uint64(at))
		}
		b.Tables = []model.Table{table}
		return h.stamp(b)
	}
	h.write(t, s, batch("f", upTo(60_000)...))
	for i := range int64(300) {
		h.write(t, s, batch(fmt.Sprint("f", i), 100_000+i))
	}
	if n := s.Info().MemoryBytes; n > 8<<20 {
		t.Errorf("60000 rows of one field and 300 of others take %d bytes", n)
	}
	h.check(t, s)
}
