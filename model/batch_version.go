package model

import (
	"encoding/binary"
	"fmt"
)

// BatchVersion gives the version, and with it the id, of a batch in binary form
// without decoding it. It checks no checksum: p must be known to be what
// AppendBatch wrote.
func BatchVersion(p []byte) (Version, error) {
	if len(p) < batchHeaderBytes+batchCheckBytes {
		return Version{}, fmt.Errorf("read batch: %d bytes: %w", len(p), ErrCorrupt)
	}
	if p[0] != batchFormat {
		return Version{}, fmt.Errorf("read batch: format %d: %w", p[0], ErrNotSupported)
	}
	return Version{
		HLC: HLC(binary.LittleEndian.Uint64(p[26:])),
		ID: BatchID{
			Origin: binary.LittleEndian.Uint64(p[2:]),
			Epoch:  binary.LittleEndian.Uint64(p[10:]),
			Seq:    binary.LittleEndian.Uint64(p[18:]),
		},
	}, nil
}
