package parking

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/varvedb/varve/internal/wire"
	"github.com/varvedb/varve/model"
)

// fileMagic begins a file; its last byte is the version of the format.
const fileMagic = "VPK\x01"

// The kinds of record.
const (
	kindEntry = 1 // a batch is parked
	kindStamp = 2 // it has an id and a version from now on
	kindDone  = 3 // it was delivered, or dropped
)

const (
	headBytes = 4 + 4 // length of what follows, CRC32C of it
	// maxRecordBytes bounds what a length on disk can make us read.
	maxRecordBytes = 512 << 20
	// recordMemory bounds what decoding the fixed part of a record may allocate.
	recordMemory = 1 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Place says where a batch belongs: uids of the metadata.
type Place struct {
	Database, Policy, Group, Shard uint64
}

// record is one record of any kind.
type record struct {
	kind   byte
	id     uint64
	parked time.Time     // of an entry, to the millisecond
	place  Place         // of an entry
	batch  []byte        // of an entry, in the form of package model
	stamp  model.Version // of a stamp
}

// append adds a record with its head.
func (r *record) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, headBytes)...)
	dst = wire.AppendUvarint(append(dst, r.kind), r.id)
	switch r.kind {
	case kindEntry:
		dst = wire.AppendUint64(dst, uint64(r.parked.UnixMilli()))
		for _, v := range []uint64{r.place.Database, r.place.Policy, r.place.Group, r.place.Shard} {
			dst = wire.AppendUvarint(dst, v)
		}
		dst = append(dst, r.batch...)
	case kindStamp:
		dst = wire.AppendUvarint(dst, r.stamp.ID.Origin)
		dst = wire.AppendUint64(dst, r.stamp.ID.Epoch)
		dst = wire.AppendUvarint(dst, r.stamp.ID.Seq)
		dst = wire.AppendUint64(dst, uint64(r.stamp.HLC))
	}
	body := dst[start+headBytes:]
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(dst[start+4:], crc32.Checksum(body, castagnoli))
	return dst
}

// decodeRecord reads what follows a head. An error is of kind model.ErrCorrupt.
func decodeRecord(body []byte) (record, error) {
	in := wire.NewReader(body, recordMemory)
	r := record{kind: in.Byte(), id: in.Uvarint()}
	switch r.kind {
	case kindEntry:
		r.parked = time.UnixMilli(int64(in.Uint64()))
		r.place = Place{in.Uvarint(), in.Uvarint(), in.Uvarint(), in.Uvarint()}
		r.batch = in.Rest()
		if in.Err() != nil {
			return record{}, in.Err()
		}
		return r, nil
	case kindStamp:
		r.stamp.ID = model.BatchID{Origin: in.Uvarint(), Epoch: in.Uint64(), Seq: in.Uvarint()}
		r.stamp.HLC = model.HLC(in.Uint64())
	case kindDone:
	default:
		in.Fail("record of kind %d", r.kind)
	}
	return r, in.Done()
}

// cutRecord takes the first record off b, which begins with its head. n is the
// bytes that it takes.
func cutRecord(b []byte) (r record, n int, err error) {
	if len(b) < headBytes {
		return record{}, 0, fmt.Errorf("head of a record: %w", model.ErrCorrupt)
	}
	size := binary.LittleEndian.Uint32(b)
	if size > maxRecordBytes || int(size) > len(b)-headBytes {
		return record{}, 0, fmt.Errorf("record of %d bytes: %w", size, model.ErrCorrupt)
	}
	body := b[headBytes : headBytes+int(size)]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return record{}, 0, fmt.Errorf("checksum of a record: %w", model.ErrCorrupt)
	}
	r, err = decodeRecord(body)
	return r, headBytes + int(size), err
}
