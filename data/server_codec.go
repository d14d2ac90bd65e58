package data

import (
	"fmt"
	"hash/crc32"

	"github.com/varvedb/varve/internal/wire"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

const (
	messageFormat = 1 // the first byte of every request and of every answer's records

	// maxMessageMemory bounds what a decoded message takes, without batches and
	// partials, which have bounds of their own.
	maxMessageMemory = 256 << 20

	measurementBytes  = 72
	fieldBytes        = 24
	snapshotFileBytes = 32
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRef begins a request about a shard.
func appendRef(dst []byte, r ShardRef) []byte {
	dst = append(dst, messageFormat)
	for _, v := range [...]uint64{r.Database, r.Policy, r.Group, r.Shard, r.Revision} {
		dst = wire.AppendUvarint(dst, v)
	}
	return dst
}

func decodeRef(r *wire.Reader) ShardRef {
	r.Format(messageFormat)
	return ShardRef{
		Database: r.Uvarint(), Policy: r.Uvarint(), Group: r.Uvarint(), Shard: r.Uvarint(), Revision: r.Uvarint(),
	}
}

// appendReadRef begins a request to read a shard.
func appendReadRef(dst []byte, r ReadRef) []byte {
	dst = appendRef(dst, r.ShardRef)
	dst = wire.AppendBool(dst, r.Stale)
	dst = wire.AppendBool(dst, r.Holds != nil)
	if r.Holds != nil {
		dst = r.Holds.Append(dst)
	}
	return dst
}

func decodeReadRef(r *wire.Reader) ReadRef {
	ref := ReadRef{ShardRef: decodeRef(r), Stale: r.Bool()}
	if r.Bool() {
		ref.Holds = decodeSet(r)
	}
	return ref
}

func decodeSet(r *wire.Reader) *model.BatchSet {
	set, rest, err := model.DecodeBatchSet(r.Rest())
	r.Skip(rest, err)
	return set
}

func decodePredicate(r *wire.Reader) *model.Predicate {
	p, rest, err := model.DecodePredicate(r.Rest())
	r.Skip(rest, err)
	return p
}

func appendMeasurement(dst []byte, m *Measurement) []byte {
	dst = wire.AppendString(append(dst, messageFormat), m.Name)
	dst = wire.AppendUvarint(dst, uint64(len(m.Fields)))
	for _, f := range m.Fields {
		dst = wire.AppendString(append(dst, byte(f.Type)), f.Name)
	}
	return wire.AppendStrings(dst, m.Tags)
}

func decodeMeasurement(b []byte) (Measurement, error) {
	r := wire.NewReader(b, maxMessageMemory)
	r.Format(messageFormat)
	m := Measurement{Name: r.String()}
	if n := r.Count(2); n > 0 && r.Spend(n, fieldBytes) {
		m.Fields = make([]model.Field, n)
		for i := range m.Fields {
			f := model.Field{Type: model.FieldType(r.Byte()), Name: r.String()}
			if r.Err() == nil && !f.Type.Valid() {
				r.Fail("type %d of field %q", uint8(f.Type), f.Name)
			}
			m.Fields[i] = f
		}
	}
	m.Tags = r.Strings()
	if err := r.Done(); err != nil {
		return m, fmt.Errorf("decode measurement: %w", err)
	}
	return m, nil
}

func appendDigest(dst []byte, d *tsm.Digest) []byte {
	dst = wire.AppendUvarint(append(dst, messageFormat), uint64(d.Rows))
	dst = append(dst, d.Hash[:]...)
	return d.Applied.Append(dst)
}

func decodeDigest(b []byte) (d tsm.Digest, err error) {
	r := wire.NewReader(b, maxMessageMemory)
	r.Format(messageFormat)
	d.Rows = r.Size()
	copy(d.Hash[:], r.Bytes(len(d.Hash)))
	d.Applied = decodeSet(r)
	if err := r.Done(); err != nil {
		return d, fmt.Errorf("decode digest: %w", err)
	}
	return d, nil
}

func appendSnapshotFiles(dst []byte, files []SnapshotFile) []byte {
	dst = wire.AppendUvarint(dst, uint64(len(files)))
	for _, f := range files {
		dst = wire.AppendString(dst, f.Name)
		dst = wire.AppendUvarint(dst, uint64(f.Size))
		dst = wire.AppendUint32(dst, f.Sum)
	}
	return dst
}

func decodeSnapshotFiles(r *wire.Reader) []SnapshotFile {
	n := r.Count(6)
	if n == 0 || !r.Spend(n, snapshotFileBytes) {
		return nil
	}
	files := make([]SnapshotFile, n)
	for i := range files {
		files[i] = SnapshotFile{Name: r.String(), Size: r.Size(), Sum: r.Uint32()}
	}
	return files
}

func appendSnapshotPart(dst []byte, p *SnapshotPart) []byte {
	dst = wire.AppendBlob(append(dst, messageFormat), p.Manifest)
	dst = appendSnapshotFiles(dst, p.Files)
	dst = wire.AppendUint64(dst, uint64(p.Clock))
	dst = wire.AppendString(dst, p.Name)
	dst = wire.AppendUvarint(dst, uint64(p.Offset))
	dst = wire.AppendUint32(dst, p.Sum)
	return wire.AppendBlob(dst, p.Bytes)
}

// decodeSnapshotPart gives a part whose bytes are those of b.
func decodeSnapshotPart(b []byte) (SnapshotPart, error) {
	r := wire.NewReader(b, maxMessageMemory)
	r.Format(messageFormat)
	p := SnapshotPart{
		Manifest: r.Blob(), Files: decodeSnapshotFiles(r), Clock: model.HLC(r.Uint64()),
		Name: r.String(), Offset: r.Size(), Sum: r.Uint32(), Bytes: r.Blob(),
	}
	if r.Err() == nil && len(p.Bytes) > MaxSnapshotPiece {
		r.Fail("piece of %d bytes", len(p.Bytes))
	}
	if r.Err() == nil && crc32.Checksum(p.Bytes, castagnoli) != p.Sum {
		r.Fail("piece of %s at %d: checksum mismatch", p.Name, p.Offset)
	}
	if err := r.Done(); err != nil {
		return p, fmt.Errorf("decode snapshot: %w", err)
	}
	return p, nil
}
