package vfs

import (
	"fmt"
	"io"
	"sync/atomic"
)

// OpKind is what is done to a file or directory.
type OpKind uint8

// The operations of FS and File.
const (
	OpCreate OpKind = iota + 1
	OpOpen
	OpOpenAppend
	OpRemove
	OpRemoveAll
	OpRename
	OpMkdirAll
	OpList
	OpSize
	OpSyncDir
	OpLock
	OpFree
	OpRead
	OpWrite
	OpSync
	OpTruncate
	OpClose
)

var opNames = [...]string{
	OpCreate: "create", OpOpen: "open", OpOpenAppend: "open append", OpRemove: "remove",
	OpRemoveAll: "remove all", OpRename: "rename", OpMkdirAll: "mkdir", OpList: "list", OpSize: "size",
	OpSyncDir: "sync dir", OpLock: "lock", OpFree: "free", OpRead: "read", OpWrite: "write", OpSync: "sync",
	OpTruncate: "truncate", OpClose: "close",
}

func (k OpKind) String() string {
	if int(k) < len(opNames) && k > 0 {
		return opNames[k]
	}
	return fmt.Sprintf("OpKind(%d)", uint8(k))
}

// Mutates reports whether the operation can change what a crash leaves behind.
func (k OpKind) Mutates() bool {
	switch k {
	case OpCreate, OpRemove, OpRemoveAll, OpRename, OpMkdirAll, OpSyncDir, OpLock, OpWrite, OpSync, OpTruncate:
		return true
	}
	return false
}

// Op is one operation about to be done.
type Op struct {
	Kind OpKind
	Name string // the file or directory; of a rename the old name
	Len  int    // the bytes of a write
}

func (o Op) String() string { return o.Kind.String() + " " + o.Name }

// ShortWrite is an error for the hook of Failing: the write stores its first N
// bytes and then fails with Err, as on a disk that has become full.
type ShortWrite struct {
	N   int
	Err error
}

func (e *ShortWrite) Error() string { return fmt.Sprintf("wrote %d bytes: %v", e.N, e.Err) }

// Unwrap gives Err.
func (e *ShortWrite) Unwrap() error { return e.Err }

// Failing is a file system that asks a hook before every operation.
type Failing struct {
	fs   FS
	hook func(Op) error
}

// NewFailing wraps fs. hook is called before every operation on it and on its
// files, with no lock held, so that it may look at fs or clone it. When hook
// gives an error the operation is not done and fails with that error. A Sync
// made to fail loses, if fs is a Mem, what it should have made durable: a later
// Sync does not bring it back, just as on Linux.
func NewFailing(fs FS, hook func(Op) error) *Failing { return &Failing{fs: fs, hook: hook} }

// FailNth gives a hook that fails the nth operation (from 1) of the given
// kinds, or of all that mutate when none is given. Only that one fails.
func FailNth(n int64, err error, kinds ...OpKind) func(Op) error {
	var seen atomic.Int64
	return func(op Op) error {
		if op.Kind.in(kinds) && seen.Add(1) == n {
			return fmt.Errorf("%v: %w", op, err)
		}
		return nil
	}
}

func (k OpKind) in(kinds []OpKind) bool {
	if len(kinds) == 0 {
		return k.Mutates()
	}
	for _, o := range kinds {
		if k == o {
			return true
		}
	}
	return false
}

// Create implements FS.
func (f *Failing) Create(name string) (File, error) { return f.open(OpCreate, name, f.fs.Create) }

// Open implements FS.
func (f *Failing) Open(name string) (File, error) { return f.open(OpOpen, name, f.fs.Open) }

// OpenAppend implements FS.
func (f *Failing) OpenAppend(name string) (File, error) {
	return f.open(OpOpenAppend, name, f.fs.OpenAppend)
}

func (f *Failing) open(kind OpKind, name string, open func(string) (File, error)) (File, error) {
	if err := f.hook(Op{Kind: kind, Name: name}); err != nil {
		return nil, err
	}
	file, err := open(name)
	if err != nil {
		return nil, err
	}
	return &failingFile{file: file, name: name, hook: f.hook}, nil
}

// Remove implements FS.
func (f *Failing) Remove(name string) error { return f.do(OpRemove, name, f.fs.Remove) }

// RemoveAll implements FS.
func (f *Failing) RemoveAll(name string) error { return f.do(OpRemoveAll, name, f.fs.RemoveAll) }

// Rename implements FS.
func (f *Failing) Rename(oldname, newname string) error {
	return f.do(OpRename, oldname, func(string) error { return f.fs.Rename(oldname, newname) })
}

// MkdirAll implements FS.
func (f *Failing) MkdirAll(dir string) error { return f.do(OpMkdirAll, dir, f.fs.MkdirAll) }

// SyncDir implements FS.
func (f *Failing) SyncDir(dir string) error { return f.do(OpSyncDir, dir, f.fs.SyncDir) }

func (f *Failing) do(kind OpKind, name string, do func(string) error) error {
	if err := f.hook(Op{Kind: kind, Name: name}); err != nil {
		return err
	}
	return do(name)
}

// List implements FS.
func (f *Failing) List(dir string) ([]string, error) { return ask(f, OpList, dir, f.fs.List) }

// Size implements FS.
func (f *Failing) Size(name string) (int64, error) { return ask(f, OpSize, name, f.fs.Size) }

// Lock implements FS.
func (f *Failing) Lock(name string) (io.Closer, error) { return ask(f, OpLock, name, f.fs.Lock) }

// Free implements FS.
func (f *Failing) Free(dir string) (uint64, error) { return ask(f, OpFree, dir, f.fs.Free) }

func ask[T any](f *Failing, kind OpKind, name string, do func(string) (T, error)) (T, error) {
	if err := f.hook(Op{Kind: kind, Name: name}); err != nil {
		var none T
		return none, err
	}
	return do(name)
}
