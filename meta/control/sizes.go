package control

// sizes is the bytes of one replica of each shard, as far as they are known.
type sizes struct {
	bytes map[uint64]int64
	mean  float64 // of those that are known
}

func newSizes(bytes map[uint64]int64) sizes {
	s := sizes{bytes: bytes}
	for _, n := range bytes {
		s.mean += float64(n) / float64(len(bytes))
	}
	return s
}

// weight gives what a replica of a shard adds to the load of its node: its
// bytes, the mean when they are not known, and a little for being there at all,
// so that small shards are spread, too.
func (s sizes) weight(shard uint64) float64 {
	n, known := s.bytes[shard]
	if !known {
		return s.mean + 1 + s.mean/64
	}
	return float64(n) + 1 + s.mean/64
}
