package hlc

import (
	"context"
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
// The promise is kept in a file of its own (FORMAT.md), replaced as a whole.
type Clock struct {
	fs   vfs.FS
	dir  string
	wall func() time.Time

	mu      sync.Mutex // held while a promise is synced: readings beyond it must wait for that anyhow
	last    model.HLC
	promise model.HLC
	found   model.HLC // the promise at the start
}

const promiseFile = "clock"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Open reads the promise kept in dir. wall is nil for the machine's clock.
func Open(fsys vfs.FS, dir string, wall func() time.Time) (*Clock, error) {
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
	if c.promise, err = decodePromise(b); err != nil {
		return nil, fmt.Errorf("open clock: %s: %w", name, err)
	}
	c.last, c.found = c.promise, c.promise
	return c, nil
}

// Found gives the promise that was found at the start, 0 in a new directory:
// nothing below it may be stamped or taken first-hand any more.
func (c *Clock) Found() model.HLC { return c.found }

// Settle waits until the machine's clock has passed the promise that was found,
// for as long as promiseAhead: until then readings are ahead of those of other
// nodes, which would refuse what is stamped with them. A clock that was set back
// is not waited for.
func (c *Clock) Settle(ctx context.Context) {
	left := min(c.found.Time().Sub(c.wall()), promiseAhead)
	if left <= 0 {
		return
	}
	wait := time.NewTimer(left)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}

// Wall gives the machine's clock, which may step.
func (c *Clock) Wall() time.Time { return c.wall() }

// Observe raises the clock, so that later readings are above h. It is for
// readings of other nodes; the caller has refused what is too far ahead. An
// error is of kind model.ErrUnavailable: the promise could not be made durable.
func (c *Clock) Observe(h model.HLC) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h <= c.last {
		return nil
	}
	if err := c.reachLocked(h); err != nil {
		return err
	}
	c.last = h
	return nil
}

// Now gives a reading above all that were given before. An error is of kind
// model.ErrUnavailable: the promise could not be made durable.
func (c *Clock) Now() (model.HLC, error) {
	now := model.NewHLC(c.wall())
	c.mu.Lock()
	defer c.mu.Unlock()
	next := max(now, c.last+1)
	if err := c.reachLocked(next); err != nil {
		return 0, err
	}
	c.last = next
	return next, nil
}

// reachLocked makes a promise durable that h is not beyond.
func (c *Clock) reachLocked(h model.HLC) error {
	if h <= c.promise {
		return nil
	}
	promise := h + model.HLC(promiseAhead.Milliseconds()<<16)
	if err := c.store(promise); err != nil {
		return fmt.Errorf("promise clock: %w: %w", model.ErrUnavailable, err)
	}
	c.promise = promise
	return nil
}

// store makes a promise durable.
func (c *Clock) store(promise model.HLC) error {
	return vfs.WriteFile(c.fs, path.Join(c.dir, promiseFile), encodePromise(promise))
}

// clockMagic begins the file; its last byte is the version of the format.
const clockMagic = "VCK\x01"

func encodePromise(promise model.HLC) []byte {
	b := binary.LittleEndian.AppendUint64([]byte(clockMagic), uint64(promise))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodePromise is the inverse of encodePromise; anything else is model.ErrCorrupt.
func decodePromise(b []byte) (model.HLC, error) {
	if len(b) != 16 || string(b[:4]) != clockMagic || crc32.Checksum(b[:12], castagnoli) != binary.LittleEndian.Uint32(b[12:]) {
		return 0, model.ErrCorrupt
	}
	return model.HLC(binary.LittleEndian.Uint64(b[4:])), nil
}
