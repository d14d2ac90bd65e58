package index

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// The parts of a file; FORMAT.md shows an example.
const (
	fileMagic   = "VARVEIDX"
	fileVersion = 1
	headerBytes = len(fileMagic) + 4 + 4 + 4
	crcBytes    = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendFile adds a file's bytes with the series from first to before end.
func (x *Index) AppendFile(dst []byte, first, end uint32) []byte {
	start := len(dst)
	dst = append(dst, fileMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, fileVersion)
	dst = binary.LittleEndian.AppendUint32(dst, first)
	dst = binary.LittleEndian.AppendUint32(dst, end-first)
	x.mu.RLock()
	defer x.mu.RUnlock()
	var last []byte
	for id := first; id < end; id++ {
		key := x.mu.keys.get(id)
		shared := sharedPrefix(last, key)
		dst = x.mu.table.hashes[id].Append(dst)
		dst = binary.AppendUvarint(dst, uint64(shared))
		dst = binary.AppendUvarint(dst, uint64(len(key)-shared))
		dst = append(dst, key[shared:]...)
		last = key
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

func sharedPrefix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// LoadFile adds the series of a file's bytes. They must continue x: a file
// that starts above x.Len() leaves a gap, one that names a known id otherwise
// than x does contradicts it, and both are of kind model.ErrCorrupt, as is
// anything else that AppendFile does not make.
func (x *Index) LoadFile(b []byte) error {
	if len(b) < headerBytes+crcBytes || string(b[:len(fileMagic)]) != fileMagic {
		return fmt.Errorf("not an index file: %w", model.ErrCorrupt)
	}
	body := b[:len(b)-crcBytes]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(b)-crcBytes:]) {
		return fmt.Errorf("checksum mismatch: %w", model.ErrCorrupt)
	}
	h := body[len(fileMagic):]
	if v := binary.LittleEndian.Uint32(h); v != fileVersion {
		return fmt.Errorf("format %d: %w", v, model.ErrNotSupported)
	}
	first, count := binary.LittleEndian.Uint32(h[4:]), binary.LittleEndian.Uint32(h[8:])
	rest := body[headerBytes:]
	if first > x.Len() {
		return fmt.Errorf("series %d to %d are missing: %w", x.Len(), first, model.ErrCorrupt)
	}
	var key []byte
	for i := range count {
		if len(rest) < 16 {
			return fmt.Errorf("series %d of %d: cut off: %w", i, count, model.ErrCorrupt)
		}
		hash := model.SeriesHash{Hi: binary.BigEndian.Uint64(rest), Lo: binary.BigEndian.Uint64(rest[8:])}
		rest = rest[16:]
		shared, n := binary.Uvarint(rest)
		if n <= 0 || shared > uint64(len(key)) {
			return fmt.Errorf("series %d of %d: bad prefix: %w", i, count, model.ErrCorrupt)
		}
		rest = rest[n:]
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return fmt.Errorf("series %d of %d: bad length: %w", i, count, model.ErrCorrupt)
		}
		rest = rest[n:]
		key = append(key[:shared], rest[:size]...)
		rest = rest[size:]
		id, _, err := x.Add(hash, key)
		if err != nil {
			return fmt.Errorf("series %d of %d: %w: %w", i, count, model.ErrCorrupt, err)
		}
		if id != first+i {
			return fmt.Errorf("series %d of %d: known as %d: %w", i, count, id, model.ErrCorrupt)
		}
	}
	if len(rest) != 0 {
		return fmt.Errorf("%d bytes too many: %w", len(rest), model.ErrCorrupt)
	}
	return nil
}

// WriteFile keeps the series from first to before end in a file that is
// durable, and whole, when WriteFile returns. It gives its size.
func (x *Index) WriteFile(fs vfs.FS, name string, first, end uint32) (int64, error) {
	b := x.AppendFile(nil, first, end)
	if err := vfs.WriteFile(fs, name, b); err != nil {
		return 0, fmt.Errorf("write index: %w", err)
	}
	return int64(len(b)), nil
}

// ReadFile adds the series of a file of at most limit bytes.
func (x *Index) ReadFile(fs vfs.FS, name string, limit int64) error {
	b, err := vfs.ReadFile(fs, name, limit)
	if err != nil {
		return fmt.Errorf("read index: %w", err)
	}
	if err := x.LoadFile(b); err != nil {
		return fmt.Errorf("read index %s: %w", path.Base(name), err)
	}
	return nil
}
