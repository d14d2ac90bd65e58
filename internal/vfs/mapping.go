package vfs

import (
	"fmt"
	"io"
)

// Mapping is the bytes of a file that nobody changes any more.
type Mapping struct {
	bytes []byte
	unmap func() error // nil when the bytes are ordinary memory
}

// Map gives all bytes of f: mapped where f is a file of the machine, else
// shared or read into memory. f may be closed afterwards.
//
// Touching a mapped byte whose disk fails, or that a truncation took away,
// faults; a reader that must outlive that uses debug.SetPanicOnFault.
func Map(f File) (*Mapping, error) {
	if m, ok := f.(interface{ mapBytes() (*Mapping, error) }); ok {
		return m.mapBytes()
	}
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, size), b); err != nil {
		return nil, fmt.Errorf("read into memory: %w", err)
	}
	return &Mapping{bytes: b}, nil
}

// Bytes gives the file's bytes, which must not be changed and, after Close,
// not be touched: that would end the process.
func (m *Mapping) Bytes() []byte { return m.bytes }

// Resident reports whether n bytes from off on can be touched without waiting
// for a disk. A goroutine that waits for a page keeps its processor from the
// others; one that waits in Fetch does not.
func (m *Mapping) Resident(off, n int) bool {
	return m.unmap == nil || resident(m.bytes[off:off+n])
}

// Fetch waits until n bytes from off on are in memory. Those that the disk does
// not give fault when they are touched, as ever.
func (m *Mapping) Fetch(off, n int) {
	if m.unmap != nil {
		fetch(m.bytes[off : off+n])
	}
}

// Prefetch begins to read n bytes from off on, and does not wait.
func (m *Mapping) Prefetch(off, n int) {
	if m.unmap != nil {
		prefetch(m.bytes[off : off+n])
	}
}

// Close gives the mapping back. Closing twice is harmless.
func (m *Mapping) Close() error {
	unmap := m.unmap
	m.bytes, m.unmap = nil, nil
	if unmap == nil {
		return nil
	}
	return unmap()
}
