package coordinator

import "github.com/varvedb/varve/model"

// nowhere is the destination of a row that is not stored.
const nowhere = -1

// route says where each row of a batch goes: per table and row one of n
// destinations, or nowhere.
type route struct {
	n  int
	to [][]int32
}

// distribute gives one batch for each destination of r, nil for one that gets
// no row. When all rows have the same destination that batch is b itself;
// otherwise the batches are copies that share series keys with b, and each
// names only the series it has rows of.
func distribute(b *model.Batch, r route) []*model.Batch {
	out := make([]*model.Batch, r.n)
	if only, ok := r.single(); ok {
		if only != nowhere {
			out[only] = b
		}
		return out
	}
	rows := make([][]uint32, r.n)
	places := make([]map[uint32]uint32, r.n) // per destination: index in b.Series → index there
	for t := range b.Tables {
		table := &b.Tables[t]
		for d := range rows {
			rows[d] = rows[d][:0]
		}
		for i, d := range r.to[t] {
			if d != nowhere {
				rows[d] = append(rows[d], uint32(i))
			}
		}
		for d := range rows {
			if len(rows[d]) == 0 {
				continue
			}
			if out[d] == nil {
				out[d] = &model.Batch{}
				places[d] = make(map[uint32]uint32)
			}
			part := table.Select(rows[d])
			for i, s := range part.Series {
				at, ok := places[d][s]
				if !ok {
					at = uint32(len(out[d].Series))
					places[d][s] = at
					out[d].Series = append(out[d].Series, b.Series[s])
				}
				part.Series[i] = at
			}
			out[d].Tables = append(out[d].Tables, part)
		}
	}
	return out
}

// single reports whether all rows have one destination, and which. A batch
// without rows goes nowhere.
func (r *route) single() (int32, bool) {
	only, first := int32(nowhere), true
	for _, to := range r.to {
		for _, d := range to {
			if first {
				only, first = d, false
			} else if d != only {
				return 0, false
			}
		}
	}
	return only, true
}
