package block

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/varvedb/varve/model"
)

// MaxTables is the most code tables that the blocks of one Group may have.
const MaxTables = 255

// Tables is the code tables that the blocks of one Group share. What decodes
// fast is made of a table when it is first needed. Tables is safe for use by
// several goroutines.
type Tables struct {
	tables []table
}

// table is one of them: a transform and the codes of its symbols.
type table struct {
	transform
	raw    []byte
	values code
	gaps   code // when sparse

	valueLookup, gapLookup atomic.Pointer[lookup]
}

// ReadTables parses what Group.Finish gave as tables. Tables keeps p.
func ReadTables(p []byte) (*Tables, error) {
	t := &Tables{}
	if len(p) == 0 {
		return t, nil
	}
	r := reader{p: p}
	n := r.uvarint()
	if r.bad || n > MaxTables {
		return nil, model.ErrCorrupt
	}
	t.tables = make([]table, min(n, uint64(len(p))))
	for i := range t.tables {
		raw := r.p
		if err := r.table(&t.tables[i]); err != nil {
			return nil, err
		}
		t.tables[i].raw = raw[:len(raw)-len(r.p)]
	}
	if !r.done() || uint64(len(t.tables)) != n {
		return nil, model.ErrCorrupt
	}
	return t, nil
}

func (r *reader) table(t *table) (err error) {
	if t.transform, err = r.transform(); err != nil {
		return err
	}
	if t.values, err = r.code(); err != nil {
		return err
	}
	if t.sparse {
		t.gaps, err = r.code()
	}
	return err
}

// Len gives the number of tables.
func (t *Tables) Len() int {
	if t == nil {
		return 0
	}
	return len(t.tables)
}

// get gives table number i, from 1 on.
func (t *Tables) get(i int) (*table, bool) {
	if i < 1 || i > t.Len() {
		return nil, false
	}
	return &t.tables[i-1], true
}

// lookups gives what decodes values, and gaps when the table is sparse. Of
// several goroutines that make one at the same time, one keeps it.
func (t *table) lookups() (values, gaps *lookup) {
	values = lookupOnce(&t.valueLookup, &t.values)
	if t.sparse {
		return values, lookupOnce(&t.gapLookup, &t.gaps)
	}
	return values, values
}

func lookupOnce(at *atomic.Pointer[lookup], c *code) *lookup {
	if l := at.Load(); l != nil {
		return l
	}
	at.CompareAndSwap(nil, newLookup(c))
	return at.Load()
}

// appendTables adds tables as ReadTables reads them.
func appendTables(dst []byte, raw [][]byte) []byte {
	if len(raw) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(len(raw)))
	for _, t := range raw {
		dst = append(dst, t...)
	}
	return dst
}
