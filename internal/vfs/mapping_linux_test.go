package vfs

import (
	"bytes"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFetchBringsPagesIntoMemory(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	f, err := OS.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fadvise(int(f.(*osFile).Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Skip("pages cannot be put out of memory:", err)
	}
	m, err := Map(f)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Resident(0, len(content)) {
		t.Skip("this file system keeps its pages in memory")
	}
	const off, n = 100_001, 300_000
	m.Fetch(off, n)
	if !m.Resident(off, n) {
		t.Error("bytes that were fetched are not in memory")
	}
	if !bytes.Equal(m.Bytes(), content) {
		t.Error("the mapping has other bytes than the file")
	}
	m.Prefetch(0, len(content)) // a hint; no more than that it is harmless can be seen
}

func TestResidencyOfOrdinaryMemoryIsNoQuestion(t *testing.T) {
	f, err := NewMem().Create("f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("content")); err != nil {
		t.Fatal(err)
	}
	m, err := Map(f)
	if err != nil {
		t.Fatal(err)
	}
	m.Fetch(0, 7)
	m.Prefetch(0, 7)
	if !m.Resident(0, 7) {
		t.Error("memory is not in memory")
	}
}
