package coordinator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"
	"sync"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// promiseAhead is how far beyond the reading asked for a new promise reaches.
// It bounds both how often the promise is written (once a second under load)
// and how far readings run ahead of the wall clock after a restart.
const promiseAhead = time.Second

// Clock is a hybrid logical clock whose readings never repeat and never go
// backwards, also when the process is killed or the wall clock is set back:
// before a reading is given, a promise not lower than it is durable, and after
// a start every reading is above the promise that was found.
//
// The promise is kept in a file of 12 bytes, replaced as a whole: the HLC
// reading, little endian, and the CRC32C of these 8 bytes.
type Clock struct {
	fs   vfs.FS
	dir  string
	wall func() time.Time

	mu      sync.Mutex // held while a promise is synced: readings beyond it must wait for that anyhow
	last    model.HLC
	promise model.HLC
}

const promiseFile = "clock"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// OpenClock reads the promise kept in dir. wall is nil for the machine's clock.
func OpenClock(fsys vfs.FS, dir string, wall func() time.Time) (*Clock, error) {
	if wall == nil {
		wall = time.Now
	}
	c := &Clock{fs: fsys, dir: dir, wall: wall}
	name := path.Join(dir, promiseFile)
	b, err := vfs.ReadFile(fsys, name, 1<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open clock: %w", err)
	}
	if len(b) != 12 || crc32.Checksum(b[:8], castagnoli) != binary.LittleEndian.Uint32(b[8:]) {
		return nil, fmt.Errorf("open clock: %s: %w", name, model.ErrCorrupt)
	}
	c.promise = model.HLC(binary.LittleEndian.Uint64(b))
	c.last = c.promise
	return c, nil
}

// Now gives a reading above all that were given before. An error is of kind
// model.ErrUnavailable: the promise could not be made durable.
func (c *Clock) Now() (model.HLC, error) {
	now := model.NewHLC(c.wall())
	c.mu.Lock()
	defer c.mu.Unlock()
	next := max(now, c.last+1)
	if next > c.promise {
		promise := next + model.HLC(promiseAhead.Milliseconds()<<16)
		if err := c.store(promise); err != nil {
			return 0, fmt.Errorf("promise clock: %w: %w", model.ErrUnavailable, err)
		}
		c.promise = promise
	}
	c.last = next
	return next, nil
}

// store makes a promise durable.
func (c *Clock) store(promise model.HLC) error {
	b := binary.LittleEndian.AppendUint64(nil, uint64(promise))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return vfs.WriteFile(c.fs, path.Join(c.dir, promiseFile), b)
}
