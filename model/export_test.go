package model

import (
	"encoding/binary"
	"hash/crc32"
)

// DecodeBatchWithin is DecodeBatch with another bound on memory.
func DecodeBatchWithin(p []byte, budget int64) (*Batch, error) { return decodeBatch(p, budget, false) }

// ResumBatch makes the checksum of p fit, so that tests reach what is behind it.
func ResumBatch(p []byte) {
	if n := len(p) - batchCheckBytes; n >= 0 {
		binary.LittleEndian.PutUint32(p[n:], crc32.Checksum(p[:n], castagnoli))
	}
}
