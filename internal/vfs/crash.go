package vfs

import (
	"maps"
	"slices"
)

// sectorBytes is what a disk writes as a whole or not at all.
const sectorBytes = 512

// CrashClone gives the file system that a power cut at this moment would leave.
// What was synced is there. For everything that was not, keep says whether it
// got to the disk all the same: for each change of names, each sector of 512
// bytes and each length; nil keeps nothing. A sector that is lost before one
// that was kept reads as zeros or, after a truncation, as it was.
//
// Changes of names need not survive in the order they were made, except those
// of one and the same file. keep is called in an order that depends only on what
// was done before, so that a test can be repeated from its seed. m goes on
// unchanged; the clone has no locks and no files open.
func (m *Mem) CrashClone(keep func() bool) *Mem {
	if keep == nil {
		keep = func() bool { return false }
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := crash{keep: keep, names: map[*node]map[string]*node{}}
	gone := map[*node]bool{} // a lost change takes the later ones of its file along
	for _, ch := range m.mu.pending {
		if gone[ch.node] || !keep() {
			gone[ch.node] = true
			continue
		}
		ch.apply(c.namesOf)
	}
	out := NewMem()
	out.mu.root = c.clone(m.mu.root)
	out.mu.used = out.mu.root.bytes()
	out.mu.capacity = m.mu.capacity
	return out
}

// crash is one power cut under way.
type crash struct {
	keep  func() bool
	names map[*node]map[string]*node // what is left of each directory's names
}

func (c *crash) namesOf(dir *node) map[string]*node {
	if c.names[dir] == nil {
		c.names[dir] = maps.Clone(dir.durable)
	}
	return c.names[dir]
}

func (c *crash) clone(n *node) *node {
	if !n.isDir() {
		b := n.crash(c.keep)
		return &node{data: b, synced: b, clean: len(b)}
	}
	names := c.namesOf(n)
	out := newDir()
	for _, name := range slices.Sorted(maps.Keys(names)) {
		out.names[name] = c.clone(names[name])
	}
	out.durable = maps.Clone(out.names)
	return out
}

func (n *node) bytes() uint64 {
	sum := uint64(len(n.data))
	for _, below := range n.names {
		sum += below.bytes()
	}
	return sum
}

// truncate copies what stays: bytes that others share are not written over.
func (n *node) truncate(size int) {
	n.data = slices.Clone(n.data[:size])
	n.clean = min(n.clean, size)
	for i := range n.lost {
		n.lost[i].to = min(n.lost[i].to, size)
	}
	n.lost = slices.DeleteFunc(n.lost, func(s span) bool { return s.from >= s.to })
}

func (n *node) sync() {
	n.clean = len(n.data)
	if len(n.lost) == 0 {
		n.synced = n.data[:len(n.data):len(n.data)]
		return
	}
	b := slices.Clone(n.data)
	for _, s := range n.lost {
		clear(b[s.from:s.to])
		if s.from < len(n.synced) {
			copy(b[s.from:s.to], n.synced[s.from:])
		}
		n.clean = min(n.clean, s.from)
	}
	n.synced = b
}

// crash gives the bytes that a power cut leaves of a file.
func (n *node) crash(keep func() bool) []byte {
	if n.clean == len(n.data) && n.clean == len(n.synced) {
		return n.synced[:n.clean:n.clean]
	}
	size := len(n.synced)
	b := make([]byte, max(len(n.data), len(n.synced)))
	copy(b, n.synced)
	for at := n.clean - n.clean%sectorBytes; at < len(n.data); at += sectorBytes {
		end := min(at+sectorBytes, len(n.data))
		if keep() {
			n.keepSector(b, at, end)
			size = max(size, end)
		}
	}
	if keep() {
		size = len(n.data)
	}
	return b[:size:size]
}

// keepSector puts the sector as it is now into b, without what an earlier
// failed Sync has lost.
func (n *node) keepSector(b []byte, at, end int) {
	for i := at; i < end; i++ {
		if !slices.ContainsFunc(n.lost, func(s span) bool { return s.from <= i && i < s.to }) {
			b[i] = n.data[i]
		}
	}
}
