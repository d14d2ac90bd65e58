package block

import (
	"bytes"
	"encoding/binary"

	"github.com/varvedb/varve/model"
)

// MaxTables is the most code tables that the blocks of one Group may have.
const MaxTables = 255

// Tables is the code tables that the blocks of one Group share. What decodes
// fast is made of a table when it is first needed. The zero Tables has none; it
// is for one goroutine.
type Tables struct {
	raw    []byte
	tables []table
	spare  []*lookup // of tables of before
}

// table is one of them: a transform and the codes of its symbols.
type table struct {
	transform
	raw     []byte
	values  code
	gaps    code    // when sparse
	entries entries // of a dictionary, which has nothing else

	valueLookup, gapLookup *lookup // nil until needed
}

// ReadTables parses what Group.Finish gave as tables.
func ReadTables(p []byte) (*Tables, error) {
	t := &Tables{}
	if err := t.Reset(p); err != nil {
		return nil, err
	}
	return t, nil
}

// Reset parses what Group.Finish gave as tables, and forgets the ones of before
// but for their memory. p is not kept. After an error t has no tables.
func (t *Tables) Reset(p []byte) error {
	if len(p) == len(t.raw) && bytes.Equal(p, t.raw) {
		return nil // what decodes fast is still good
	}
	t.clear()
	t.raw = append(t.raw, p...)
	if err := t.parse(); err != nil {
		t.clear()
		return err
	}
	return nil
}

func (t *Tables) clear() {
	for i := range t.tables {
		for _, l := range [...]*lookup{t.tables[i].valueLookup, t.tables[i].gapLookup} {
			if l != nil {
				t.spare = append(t.spare, l)
			}
		}
	}
	t.raw, t.tables = t.raw[:0], t.tables[:0]
}

func (t *Tables) parse() error {
	if len(t.raw) == 0 {
		return nil
	}
	r := reader{p: t.raw}
	n := r.uvarint()
	if r.bad || n > MaxTables {
		return model.ErrCorrupt
	}
	for range n {
		start := r.p
		t.tables = append(t.tables, table{})
		last := &t.tables[len(t.tables)-1]
		if err := r.table(last); err != nil {
			return err
		}
		last.raw = start[:len(start)-len(r.p)]
	}
	if !r.done() {
		return model.ErrCorrupt
	}
	return nil
}

func (r *reader) table(t *table) (err error) {
	if len(r.p) > 0 && r.p[0] == kindDictionary {
		t.kind = r.byte()
		return r.dictionary(&t.entries)
	}
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

// lookups gives what decodes a table's values, and gaps when it is sparse.
func (t *Tables) lookups(of *table) (values, gaps *lookup) {
	if of.valueLookup == nil {
		of.valueLookup = t.lookup(&of.values)
	}
	if of.sparse && of.gapLookup == nil {
		of.gapLookup = t.lookup(&of.gaps)
	}
	return of.valueLookup, of.gapLookup
}

func (t *Tables) lookup(c *code) *lookup {
	var l *lookup
	if last := len(t.spare) - 1; last >= 0 {
		l, t.spare = t.spare[last], t.spare[:last]
	} else {
		l = new(lookup)
	}
	l.build(c)
	return l
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
