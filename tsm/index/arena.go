package index

import "encoding/binary"

// chunkBytes is the size of a chunk of an arena; a longer key gets its own.
const chunkBytes = 64 << 10

// arena keeps byte strings by dense number, 8 bytes and a length prefix above
// their own size. What get returns stays valid and unchanged.
type arena struct {
	chunks [][]byte
	at     []uint64 // chunk << 32 | offset of the length prefix
	bytes  int      // of all chunks
}

func (a *arena) append(b []byte) {
	need := binary.MaxVarintLen32 + len(b)
	last := len(a.chunks) - 1
	if last < 0 || cap(a.chunks[last])-len(a.chunks[last]) < need {
		// The first chunk starts small: most shards of a busy node have few series.
		size := chunkBytes
		if last < 0 {
			size = 1 << 10
		}
		size = max(size, need)
		a.chunks = append(a.chunks, make([]byte, 0, size))
		a.bytes += size
		last++
	}
	c := a.chunks[last]
	a.at = append(a.at, uint64(last)<<32|uint64(len(c)))
	c = binary.AppendUvarint(c, uint64(len(b)))
	a.chunks[last] = append(c, b...)
}

func (a *arena) get(i uint32) []byte {
	at := a.at[i]
	c := a.chunks[at>>32]
	c = c[uint32(at):cap(c)] // a snapshot may know the chunk from when it was shorter
	n, used := binary.Uvarint(c)
	return c[used : used+int(n) : used+int(n)]
}

// snapshot gives what a has now, for use while a grows.
func (a *arena) snapshot() arena {
	return arena{chunks: append([][]byte(nil), a.chunks...), at: a.at[:len(a.at):len(a.at)], bytes: a.bytes}
}
