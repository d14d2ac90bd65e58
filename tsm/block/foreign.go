package block

import "slices"

// foreignTables is the tables of blocks that were taken over from other Groups,
// each once.
type foreignTables struct {
	raw    [][]byte
	number map[string]int
}

func (f *foreignTables) reset() {
	f.raw = f.raw[:0]
	clear(f.number)
}

// add gives the number of a table, from 1 on; ok is false when there are too
// many.
func (f *foreignTables) add(raw []byte) (number int, ok bool) {
	if n, ok := f.number[string(raw)]; ok {
		return n, true
	}
	if len(f.raw) == MaxTables-maxPlans {
		return 0, false
	}
	if f.number == nil {
		f.number = make(map[string]int)
	}
	f.raw = append(f.raw, slices.Clone(raw))
	f.number[string(raw)] = len(f.raw)
	return len(f.raw), true
}
