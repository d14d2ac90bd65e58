package wal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"slices"
	"sync"
	"syscall"

	"github.com/varvedb/varve/internal/invariant"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// LSN numbers the batches of a log from 1, in the order of Append, across
// files and restarts.
type LSN uint64

// Log is the log of one shard. It is safe for concurrent use.
type Log struct {
	fs  vfs.FS
	dir string
	cfg Config

	trim sync.Mutex // one Trim at a time; taken before mu

	mu struct {
		sync.Mutex
		tail   tail
		closed map[FileID]closedFile // the files before the tail
		last   LSN                   // appended
		bytes  int64                 // appended since Open
		synced LSN                   // durable

		syncing bool       // a Sync of the tail runs without mu
		idle    *sync.Cond // signalled when syncing becomes false

		err error // why nothing more is taken; sticky

		buf    []byte         // the record being made
		series []model.Series // its series
	}
}

// tail is the file that batches are appended to.
type tail struct {
	id     FileID
	made   bool     // its name is in the directory
	file   vfs.File // nil until there is something to append
	epoch  uint64
	size   int64
	synced int64   // how much of it is durable
	seen   hashSet // whose key is in the file
	has    contents
}

// closedFile is a file that nothing is appended to any more.
type closedFile struct {
	size int64
	has  contents // not changed any more
}

// contents is which batches a file has: a few intervals of ids.
type contents struct {
	batches model.BatchSet
	newest  model.HLC // of their versions
}

func (c *contents) add(v model.Version) {
	c.batches.Add(v.ID)
	c.newest = max(c.newest, v.HLC)
}

// empty reports whether no batch is in the file.
func (t *tail) empty() bool { return t.size <= fileHeaderBytes }

func (l *Log) path(id FileID) string { return path.Join(l.dir, id.name()) }

// maxIdleBuffer is the memory for making records that a log keeps.
const maxIdleBuffer = 1 << 20

// Append writes b, rows or a delete, and gives its number; it is durable when
// Sync of that number has returned. b is not kept.
//
// A series of b that is new to the file gets its key into the record: the one
// in b, or where that is nil what key gives, which may be nil when b has all.
// key is called with the log locked. A key found nowhere is ErrNeedKeys. A batch
// over 64 MB in binary form, or over model.MaxBatchBytes, is ErrTooLarge. A disk
// without room is ErrUnavailable: the batch is not in the log and others may
// follow. After any other failure to write or sync, all are ErrReadOnly.
func (l *Log) Append(b *model.Batch, key func(model.SeriesHash) []byte) (LSN, error) {
	if n := b.MemoryBytes(); n > model.MaxBatchBytes {
		return 0, l.refuse("too_large", fmt.Errorf("append to log: batch of %d bytes in memory: %w", n, model.ErrTooLarge))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.openTailLocked(); err != nil {
		return 0, err
	}
	rec, err := l.encodeLocked(b, key)
	if err != nil {
		return 0, err
	}
	if err := l.writeLocked(rec); err != nil {
		return 0, err
	}
	l.markSeenLocked()
	l.releaseBuffersLocked()
	l.mu.tail.has.add(b.Version)
	l.mu.last++
	l.mu.bytes += int64(len(rec))
	l.cfg.Metrics.Appends.Inc()
	l.cfg.Metrics.AppendBytes.Add(float64(len(rec)))
	return l.mu.last, nil
}

func (l *Log) refuse(reason string, err error) error {
	l.cfg.Metrics.Refused.WithLabelValues(reason).Inc()
	return err
}

// usableLocked gives why the log takes nothing, or nil.
func (l *Log) usableLocked() error {
	if l.mu.err != nil {
		return l.refuse("read_only", l.mu.err)
	}
	return nil
}

// encodeLocked makes the record of b in l.mu.buf.
func (l *Log) encodeLocked(b *model.Batch, key func(model.SeriesHash) []byte) ([]byte, error) {
	t := &l.mu.tail
	series := l.mu.series[:0]
	for _, s := range b.Series {
		if t.seen.has(s.Hash) {
			s.Key = nil
		} else if s.Key == nil {
			if key != nil {
				s.Key = key(s.Hash)
			}
			if s.Key == nil {
				return nil, l.refuse("need_keys", fmt.Errorf("append to log: %w", model.ErrNeedKeys))
			}
		}
		series = append(series, s)
	}
	l.mu.series = series
	stored := *b
	stored.Series = series
	rec := model.AppendBatch(beginRecord(l.mu.buf[:0]), &stored)
	l.mu.buf = rec
	payload := rec[recordHeaderBytes:]
	if len(payload) > maxPayloadBytes {
		l.releaseBuffersLocked()
		return nil, l.refuse("too_large", fmt.Errorf("append to log: batch of %d bytes: %w", len(payload), model.ErrTooLarge))
	}
	if b.Delete != nil {
		// Rows within the bounds are always read back; a predicate may nest
		// deeper than its decoder follows.
		if _, err := model.DecodeBatch(payload); err != nil {
			return nil, fmt.Errorf("append to log: %w: %w", model.ErrInvalid, err)
		}
	}
	endRecord(rec, t.epoch, t.synced, recordBatch)
	return rec, nil
}

// markSeenLocked notes whose keys the last record brought into the file.
func (l *Log) markSeenLocked() {
	t := &l.mu.tail
	for i := range l.mu.series {
		if l.mu.series[i].Key == nil {
			continue
		}
		if t.seen.len() >= l.cfg.SeriesPerFile {
			t.seen = hashSet{}
		}
		t.seen.add(l.mu.series[i].Hash)
	}
}

func (l *Log) releaseBuffersLocked() {
	clear(l.mu.series) // holds keys of the caller
	if cap(l.mu.buf) > maxIdleBuffer {
		l.mu.buf = nil
	}
	if cap(l.mu.series) > maxIdleBuffer/64 {
		l.mu.series = nil
	}
}

// writeLocked writes a record to the tail, or leaves the tail as it was.
func (l *Log) writeLocked(rec []byte) error {
	t := &l.mu.tail
	_, err := t.file.Write(rec)
	if err == nil {
		t.size += int64(len(rec))
		return nil
	}
	err = fmt.Errorf("append to log: %w", err)
	if cut := cutBack(t.file, t.size); cut != nil {
		return l.failLocked(errors.Join(err, cut))
	}
	if passes(err) {
		return l.refuse("full", fmt.Errorf("%w: %w", model.ErrUnavailable, err))
	}
	return l.failLocked(err)
}

// cutBack takes a half-written record off a file's end, and proves it.
func cutBack(f vfs.File, size int64) error {
	if err := f.Truncate(size); err != nil {
		return err
	}
	got, err := f.Size()
	if err == nil && got != size {
		err = fmt.Errorf("cut back log file: %d bytes, not %d", got, size)
	}
	return err
}

// passes reports whether an error is of a lack that may end by itself: of room
// or of descriptors.
func passes(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// failLocked makes the log take nothing more.
func (l *Log) failLocked(err error) error {
	if l.mu.err == nil {
		l.mu.err = fmt.Errorf("%w: %w", model.ErrReadOnly, err)
		l.cfg.Logger.Error("log takes no more writes", "dir", l.dir, "err", err)
	}
	return l.mu.err
}

// openTailLocked makes the tail ready for an append: it starts a new file when
// the tail is long enough.
func (l *Log) openTailLocked() error {
	if err := l.usableLocked(); err != nil {
		return err
	}
	t := &l.mu.tail
	if l.tailFullLocked() {
		l.waitIdleLocked() // gives mu away: another may have done it
		if err := l.usableLocked(); err != nil {
			return err
		}
		if l.tailFullLocked() {
			if err := l.rotateLocked(); err != nil {
				return err
			}
		}
	}
	if t.file != nil {
		return nil
	}
	return l.createTailLocked()
}

func (l *Log) tailFullLocked() bool {
	return l.mu.tail.size >= l.cfg.FileBytes && !l.mu.tail.empty()
}

// createTailLocked makes the file of the tail, or makes it again: an empty one
// that was found at start may be there in the page cache only. Header and name
// are durable before a batch is written. mu is held meanwhile, since nothing
// could be appended.
func (l *Log) createTailLocked() error {
	t := &l.mu.tail
	invariant.Check(t.empty(), "file %d with batches made again", t.id)
	var random [8]byte
	rand.Read(random[:]) // never fails
	h := fileHeader{id: t.id, first: l.mu.last + 1, epoch: binary.LittleEndian.Uint64(random[:])}
	var f vfs.File
	err := vfs.WriteFile(l.fs, l.path(t.id), h.append(nil))
	if err == nil {
		f, err = l.fs.OpenAppend(l.path(t.id))
	}
	switch {
	case err == nil:
	case passes(err):
		return l.refuse("full", fmt.Errorf("create log file: %w: %w", model.ErrUnavailable, err))
	default:
		return l.failLocked(fmt.Errorf("create log file: %w", err))
	}
	*t = tail{id: t.id, made: true, file: f, epoch: h.epoch, size: fileHeaderBytes, synced: fileHeaderBytes}
	l.cfg.Metrics.FilesCreated.Inc()
	return nil
}

// Size gives the bytes of all files of the log.
func (l *Log) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.mu.tail.size
	for _, f := range l.mu.closed {
		n += f.size
	}
	return n
}

// Appended gives the bytes that were appended since Open.
func (l *Log) Appended() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.bytes
}

// Since gives the highest clock in the versions of the oldest file's batches:
// what is in it was stamped until then. It is 0 for a log without batches.
func (l *Log) Since() model.HLC {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.mu.closed) == 0 {
		return l.mu.tail.has.newest
	}
	return l.mu.closed[slices.Min(slices.Collect(maps.Keys(l.mu.closed)))].has.newest
}

// Close makes durable what is not yet and closes the log, marking its end so
// that the next Open can tell damage from a crash. Closing twice is harmless.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waitIdleLocked()
	if errors.Is(l.mu.err, model.ErrClosed) {
		return nil
	}
	err := l.syncTailLocked()
	t := &l.mu.tail
	if err == nil && l.mu.err == nil && t.file != nil && !t.empty() {
		l.writeEndLocked()
	}
	if t.file != nil {
		err = errors.Join(err, t.file.Close())
		t.file = nil
	}
	l.mu.err = fmt.Errorf("log: %w", model.ErrClosed)
	return err
}

// writeEndLocked marks the end. All batches are durable without the mark, so
// failing to write it, on a full disk say, fails nothing.
func (l *Log) writeEndLocked() {
	t := &l.mu.tail
	rec := beginRecord(nil)
	endRecord(rec, t.epoch, t.size, recordEnd)
	_, err := t.file.Write(rec)
	if err == nil {
		err = l.timedSync(t.file)
	}
	if err != nil {
		// A mark that is seen now but not on the disk would be a hole there.
		err = errors.Join(err, cutBack(t.file, t.size))
		l.cfg.Logger.Warn("cannot mark the end of a log", "dir", l.dir, "err", err)
	}
}

// discardLogger is for logs that are opened without one.
var discardLogger = slog.New(slog.DiscardHandler)
