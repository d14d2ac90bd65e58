package segment

import (
	"fmt"
	"math/bits"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// mapsFiles says whether files are mapped. Where addresses have 32 bits a few
// gigabytes of files would use them up: there parts are read when asked for.
const mapsFiles = bits.UintSize >= 64

// content is the bytes of a file that nobody changes any more: mapped, in
// memory, or read at each use.
type content struct {
	size    int64
	data    []byte       // nil for a file that is read
	mapping *vfs.Mapping // nil for a file that is read or was given as bytes
	file    vfs.File     // nil for a file that is mapped or was given as bytes
}

// openContent owns f, also when it fails.
func openContent(f vfs.File, mapped bool) (*content, error) {
	if !mapped {
		size, err := f.Size()
		if err != nil {
			_ = f.Close() // the first error says more
			return nil, fmt.Errorf("open segment file: %w", err)
		}
		return &content{size: size, file: f}, nil
	}
	mapping, err := vfs.Map(f)
	if closeErr := f.Close(); err == nil && closeErr != nil {
		_ = mapping.Close() // nothing was written
		return nil, fmt.Errorf("open segment file: %w", closeErr)
	}
	if err != nil {
		return nil, fmt.Errorf("map segment file: %w", err)
	}
	return &content{size: int64(len(mapping.Bytes())), data: mapping.Bytes(), mapping: mapping}, nil
}

// bytes gives length bytes from offset on, which must not be changed. They are
// good until close. Touching them may fault, see Reader.guard.
func (c *content) bytes(offset int64, length int) ([]byte, error) {
	if c.file == nil {
		return c.data[offset : offset+int64(length)], nil
	}
	b := make([]byte, length)
	if n, err := c.file.ReadAt(b, offset); n < length { // at the end all may come with io.EOF
		return nil, fmt.Errorf("read at %d of %d bytes: %w: %w", offset, c.size, err, model.ErrCorrupt)
	}
	return b, nil
}

// fetch brings bytes into memory where they are mapped, and reports whether
// they were there.
func (c *content) fetch(offset int64, length int) bool {
	if c.mapping == nil || c.mapping.Resident(int(offset), length) {
		return true
	}
	c.mapping.Fetch(int(offset), length)
	return false
}

// close gives the file back. Closing twice is harmless.
func (c *content) close() error {
	file := c.file
	c.data, c.file = nil, nil
	switch {
	case c.mapping != nil:
		return c.mapping.Close()
	case file != nil:
		return file.Close()
	}
	return nil
}
