package coordinator

// maxPartBytes bounds a batch that is sent, in memory. In binary form it is
// smaller, and must fit into a message between nodes.
const maxPartBytes = 48 << 20

// pieces cuts a part until each piece takes at most limit bytes, or is one row.
// Rows keep their order: of two for one cell the later is in the later piece,
// which is to be stamped after the one before.
func (p part) pieces(limit int64) []part {
	if p.batch == nil || p.batch.Rows() < 2 || p.batch.MemoryBytes() <= limit {
		return []part{p}
	}
	r := route{n: 2, to: make([][]int32, len(p.batch.Tables))}
	left := p.batch.Rows() / 2
	for i := range p.batch.Tables {
		r.to[i] = make([]int32, len(p.batch.Tables[i].Times))
		for row := range r.to[i] {
			if left > 0 {
				left--
			} else {
				r.to[i][row] = 1
			}
		}
	}
	var out []part
	for _, b := range distribute(p.batch, r) {
		out = append(out, part{group: p.group, shard: p.shard, batch: b}.pieces(limit)...)
	}
	return out
}
