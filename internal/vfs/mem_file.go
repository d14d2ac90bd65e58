package vfs

import (
	"io"
	"io/fs"
	"sync"
	"syscall"
)

// memFile is an open file of a Mem.
type memFile struct {
	mem   *Mem
	node  *node
	name  string
	write bool

	mu     sync.Mutex // orders Read and Close; taken before mem.mu
	pos    int64      // of Read
	closed bool
}

func (f *memFile) check(op string, write bool) error {
	switch {
	case f.closed:
		return pathError(op, f.name, fs.ErrClosed)
	case write && !f.write:
		return pathError(op, f.name, syscall.EBADF)
	}
	return nil
}

// bytes gives the file's content, which nobody changes in place.
func (f *memFile) bytes() []byte {
	f.mem.mu.Lock()
	defer f.mem.mu.Unlock()
	return f.node.data
}

func (f *memFile) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.readAtLocked(p, f.pos)
	f.pos += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readAtLocked(p, off)
}

func (f *memFile) readAtLocked(p []byte, off int64) (int, error) {
	if err := f.check("read", false); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathError("read", f.name, fs.ErrInvalid)
	}
	b := f.bytes()
	if len(p) == 0 {
		return 0, nil
	}
	if off >= int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check("write", true); err != nil {
		return 0, err
	}
	m := f.mem
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(p)
	if free := m.freeLocked(); uint64(n) > free {
		n = int(free)
	}
	f.node.data = append(f.node.data, p[:n]...)
	if !f.node.unlinked {
		m.mu.used += uint64(n)
	}
	if n < len(p) {
		return n, pathError("write", f.name, syscall.ENOSPC)
	}
	return n, nil
}

func (f *memFile) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check("sync", false); err != nil {
		return err
	}
	f.mem.mu.Lock()
	defer f.mem.mu.Unlock()
	f.node.sync()
	return nil
}

func (f *memFile) dropUnsynced() {
	f.mem.mu.Lock()
	defer f.mem.mu.Unlock()
	n := f.node
	if n.clean < len(n.data) {
		n.lost = append(n.lost, span{n.clean, len(n.data)})
	}
}

func (f *memFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check("truncate", true); err != nil {
		return err
	}
	f.mem.mu.Lock()
	defer f.mem.mu.Unlock()
	if size < 0 || size > int64(len(f.node.data)) {
		// Nothing here makes a file longer without writing it.
		return pathError("truncate", f.name, fs.ErrInvalid)
	}
	f.mem.truncateLocked(f.node, int(size))
	return nil
}

func (m *Mem) truncateLocked(n *node, size int) {
	if !n.unlinked {
		m.mu.used -= uint64(len(n.data) - size)
	}
	n.truncate(size)
}

func (f *memFile) Size() (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check("stat", false); err != nil {
		return 0, err
	}
	return int64(len(f.bytes())), nil
}

func (f *memFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check("close", false); err != nil {
		return err
	}
	f.closed = true
	return nil
}

func (f *memFile) mapBytes() (*Mapping, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check("map", false); err != nil {
		return nil, err
	}
	b := f.bytes()
	return &Mapping{bytes: b[:len(b):len(b)]}, nil
}
