package block

// foreignTables is the tables of blocks that were taken over from other Groups,
// each once.
type foreignTables struct {
	raw    [][]byte
	number map[string]int
	known  map[foreignTable]int
}

type foreignTable struct {
	from  *Tables
	table int
}

func (f *foreignTables) reset() {
	f.raw = f.raw[:0]
	clear(f.number)
	clear(f.known)
}

// add gives the number of a table, from 1 on; ok is false when there are too
// many.
func (f *foreignTables) add(from *Tables, table int, raw []byte) (number int, ok bool) {
	key := foreignTable{from, table}
	if n, ok := f.known[key]; ok {
		return n, true
	}
	n, ok := f.number[string(raw)]
	if !ok {
		if len(f.raw) == MaxTables-maxPlans {
			return 0, false
		}
		if f.number == nil {
			f.number, f.known = make(map[string]int), make(map[foreignTable]int)
		}
		f.raw = append(f.raw, append([]byte(nil), raw...))
		n = len(f.raw)
		f.number[string(raw)] = n
	}
	f.known[key] = n
	return n, true
}
