package vfs

import "errors"

type failingFile struct {
	file File
	name string
	hook func(Op) error
}

func (f *failingFile) before(kind OpKind, n int) error {
	return f.hook(Op{Kind: kind, Name: f.name, Len: n})
}

func (f *failingFile) Read(p []byte) (int, error) {
	if err := f.before(OpRead, len(p)); err != nil {
		return 0, err
	}
	return f.file.Read(p)
}

func (f *failingFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.before(OpRead, len(p)); err != nil {
		return 0, err
	}
	return f.file.ReadAt(p, off)
}

func (f *failingFile) Write(p []byte) (int, error) {
	err := f.before(OpWrite, len(p))
	if err == nil {
		return f.file.Write(p)
	}
	var short *ShortWrite
	if !errors.As(err, &short) {
		return 0, err
	}
	n, werr := f.file.Write(p[:min(short.N, len(p))])
	if werr != nil {
		return n, werr
	}
	return n, err
}

func (f *failingFile) Sync() error {
	err := f.before(OpSync, 0)
	if err == nil {
		return f.file.Sync()
	}
	if m, ok := f.file.(interface{ dropUnsynced() }); ok {
		m.dropUnsynced()
	}
	return err
}

func (f *failingFile) Truncate(size int64) error {
	if err := f.before(OpTruncate, 0); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

// Close always closes the file below, as close(2) does when it fails.
func (f *failingFile) Close() error { return errors.Join(f.before(OpClose, 0), f.file.Close()) }

// Size is not asked of the hook: fstat of an open file does not fail.
func (f *failingFile) Size() (int64, error) { return f.file.Size() }
