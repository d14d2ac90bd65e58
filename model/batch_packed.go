package model

import (
	"bytes"

	"github.com/varvedb/varve/internal/invariant"
)

// Packed is the tables of a batch in binary form, which does not depend on who
// stamps the batch or which keys go with it. It counts only for the very tables
// that it was made of, so a copy of a Batch may be given others.
type Packed struct {
	of    *Table // the first of them
	n     int
	bytes []byte
}

// Equal is always true: a batch is the same with and without.
func (Packed) Equal(Packed) bool { return true }

// Pack makes the binary form of the tables once, for every AppendBatch of b and
// of copies of b with the same tables: one for the log, one for each other
// owner. The tables must not change from then on, and b must not be in use
// elsewhere yet.
func (b *Batch) Pack() {
	if len(b.Tables) > 0 && b.packedTables() == nil {
		b.keep(appendTables(make([]byte, 0, b.packedGuess()), b.Tables))
	}
}

// packedGuess gives about what Pack makes of the tables, rather too much, so
// that it need not grow: numbers of a batch are near each other.
func (b *Batch) packedGuess() int {
	n := 64
	for i := range b.Tables {
		t := &b.Tables[i]
		n += 64 + len(t.Times)*(4+4)
		for j := range t.Columns {
			n += 64 + 2*t.Columns[j].Len() + len(t.Columns[j].Text)
		}
	}
	return n
}

// PackedBytes gives how many bytes Pack has made, 0 without it.
func (b *Batch) PackedBytes() int { return len(b.packedTables()) }

func (b *Batch) keep(p []byte) {
	if len(b.Tables) > 0 {
		b.Packed = Packed{of: &b.Tables[0], n: len(b.Tables), bytes: p}
	}
}

// packedTables gives the tables in binary form if that is known, else nil.
func (b *Batch) packedTables() []byte {
	if n := len(b.Tables); n == 0 || n != b.Packed.n || &b.Tables[0] != b.Packed.of {
		return nil
	}
	if invariant.Enabled {
		fresh := appendTables(nil, b.Tables)
		invariant.Check(bytes.Equal(fresh, b.Packed.bytes), "tables of batch %v changed after they were packed", b.ID)
	}
	return b.Packed.bytes
}

// DecodeBatchKeeping is DecodeBatch for a batch that is going to be encoded
// again, by a log for example: it takes p over and keeps it as what Pack makes.
func DecodeBatchKeeping(p []byte) (*Batch, error) { return decodeBatch(p, MaxBatchBytes, true) }
