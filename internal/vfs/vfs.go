package vfs

import "io"

// FS is a file system. OS is the machine's; Mem lives in memory and can crash;
// Failing wraps another and fails on demand. Names are slash-separated paths.
// Errors satisfy errors.Is with fs.ErrNotExist, fs.ErrExist, syscall.ENOSPC.
type FS interface {
	// Create makes a file, or empties the one there is, open for reading and writing.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// OpenAppend opens an existing file for reading and for writing at its end.
	OpenAppend(name string) (File, error)
	Remove(name string) error
	// RemoveAll removes name and what is under it; none is no error.
	RemoveAll(name string) error
	// Rename replaces newname when it exists. It is durable after SyncDir.
	Rename(oldname, newname string) error
	MkdirAll(dir string) error
	// List gives the base names in dir, sorted.
	List(dir string) ([]string, error)
	// Size gives the length of a file in bytes.
	Size(name string) (int64, error)
	// SyncDir makes creations, removals and renames in dir durable.
	SyncDir(dir string) error
	// Lock takes an exclusive lock on a file, made when missing, until Close.
	// It fails at once when another process or holder has it.
	Lock(name string) (io.Closer, error)
	// Free gives the bytes that can still be written under dir.
	Free(dir string) (uint64, error)
}

// File is an open file. Write appends at the end of the file, also after
// Truncate, which makes a file shorter. Where Read goes on after a Write is not
// said: a file that is being written is read with ReadAt.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Closer
	// Sync returns when all written bytes survive a power cut. After an error
	// nothing may be assumed of what was written since the last good Sync.
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
}
