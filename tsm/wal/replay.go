package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// Open opens the log in dir, which is made when missing, and hands every batch
// in it to replay, in order, with the file it is in. What replay gets counts as
// durable when Open has returned without error, not before: only then is it
// synced. An error of replay ends Open.
//
// The last file may end in records that a crash cut short. No such record was
// acknowledged; they are cut off. Damage that lies before something known to be
// durable is ErrCorrupt, and nothing is changed. Opening a log again after a
// crash in the middle of Open gives the same.
func Open(fs vfs.FS, dir string, cfg Config, replay func(f FileID, b *model.Batch) error) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	if cfg.Logger == nil {
		cfg.Logger = discardLogger
	}
	l := &Log{fs: fs, dir: dir, cfg: cfg}
	l.mu.closed = map[FileID]closedFile{}
	l.mu.idle = sync.NewCond(&l.mu)
	if err := l.recover(replay); err != nil {
		if errors.Is(err, model.ErrCorrupt) {
			cfg.Metrics.Corruptions.Inc()
		}
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	return l, nil
}

func (l *Log) recover(replay func(FileID, *model.Batch) error) error {
	if err := vfs.MkdirAll(l.fs, l.dir); err != nil {
		return err
	}
	ids, err := l.files()
	if err != nil {
		return err
	}
	l.mu.tail.id = 1
	for i, id := range ids {
		if i > 0 && id != ids[i-1]+1 {
			return fmt.Errorf("%s is missing: %w", (ids[i-1] + 1).name(), model.ErrCorrupt)
		}
		if err := l.replayFile(id, i == 0, i == len(ids)-1, replay); err != nil {
			return fmt.Errorf("%s: %w", id.name(), err)
		}
	}
	l.mu.synced = l.mu.last
	return nil
}

// files gives the ids of the files there are, in order.
func (l *Log) files() ([]FileID, error) {
	names, err := l.fs.List(l.dir)
	if err != nil {
		return nil, err
	}
	var ids []FileID
	for _, name := range names {
		if id, ok := parseFileName(name); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

func (l *Log) replayFile(id FileID, first, last bool, replay func(FileID, *model.Batch) error) (err error) {
	f, err := l.fs.Open(l.path(id))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return err
	}
	r := &reader{file: f, size: size}
	if err := r.readHeader(); err != nil {
		return err
	}
	if r.header.id != id || r.header.first == 0 || !first && r.header.first != l.mu.last+1 {
		return fmt.Errorf("file %d from batch %d on, not from %d: %w", r.header.id, r.header.first, l.mu.last+1, model.ErrCorrupt)
	}
	l.mu.last = r.header.first - 1
	if err := l.replayRecords(r, id, replay); err != nil {
		return err
	}
	if r.at < size {
		if err := r.judgeDamage(last); err != nil {
			return err
		}
	}
	if last {
		return l.adoptTail(r, id)
	}
	l.mu.closed[id] = closedFile{size: size, has: r.has}
	return nil
}

// replayRecords hands on batches until the end or the first bad record.
func (l *Log) replayRecords(r *reader, id FileID, replay func(FileID, *model.Batch) error) error {
	for {
		h, payload, err := r.next()
		if err != nil || payload == nil {
			return err
		}
		switch h.kind {
		case recordEnd:
			continue
		case recordBatch:
		default:
			return fmt.Errorf("record of type %d: %w", h.kind, model.ErrCorrupt)
		}
		if err := l.replayBatch(r, id, payload, replay); err != nil {
			return err
		}
	}
}

func (l *Log) replayBatch(r *reader, id FileID, payload []byte, replay func(FileID, *model.Batch) error) error {
	v, err := model.BatchVersion(payload)
	if err != nil {
		return err
	}
	l.mu.last++
	l.cfg.Metrics.ReplayBytes.Add(float64(len(payload)))
	r.has.add(v)
	if l.cfg.Skip != nil && l.cfg.Skip(id, v) {
		l.cfg.Metrics.ReplaySkipped.Inc()
		return nil
	}
	b, err := model.DecodeBatch(payload)
	if err != nil {
		return err
	}
	l.cfg.Metrics.ReplayBatches.Inc()
	return replay(id, b)
}

// adoptTail cuts a torn end off the last file and makes the rest durable: what
// it holds may so far have lived in the page cache only. Batches are never
// appended behind others of before the start: the next goes to a new file,
// unless this one is empty.
func (l *Log) adoptTail(r *reader, id FileID) error {
	f, err := l.fs.OpenAppend(l.path(id))
	if err != nil {
		return err
	}
	if torn := r.size - r.at; torn > 0 {
		l.cfg.Logger.Warn("cut off the torn end of a log", "dir", l.dir, "file", id.name(), "bytes", torn)
		l.cfg.Metrics.TornBytes.Add(float64(torn))
		err = f.Truncate(r.at)
	}
	if err == nil {
		err = l.timedSync(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if r.at == fileHeaderBytes {
		l.mu.tail = tail{id: id, made: true, size: r.at, synced: r.at}
		return nil
	}
	l.mu.closed[id] = closedFile{size: r.at, has: r.has}
	l.mu.tail = tail{id: id + 1}
	return nil
}

// reader reads the records of one file.
type reader struct {
	file   io.ReaderAt
	size   int64
	header fileHeader
	at     int64 // the next record
	has    contents

	buf   []byte // the file from start on
	start int64
}

// readAhead is how much a reader asks of the disk at once.
const readAhead = 256 << 10

// bytes gives n bytes at off, which lie in the file; valid until the next call.
func (r *reader) bytes(off int64, n int) ([]byte, error) {
	if off < r.start || off+int64(n) > r.start+int64(len(r.buf)) {
		want := int(min(int64(max(n, readAhead)), r.size-off))
		r.buf = slices.Grow(r.buf[:0], want)[:want]
		r.start = off
		if _, err := r.file.ReadAt(r.buf, off); err != nil && err != io.EOF {
			r.buf = r.buf[:0]
			return nil, fmt.Errorf("read at %d: %w", off, err)
		}
	}
	b := r.buf[off-r.start:]
	return b[:n:n], nil
}

func (r *reader) readHeader() error {
	if r.size < fileHeaderBytes {
		return fmt.Errorf("%d bytes: %w", r.size, model.ErrCorrupt)
	}
	b, err := r.bytes(0, fileHeaderBytes)
	if err != nil {
		return err
	}
	r.header, err = parseFileHeader(b)
	r.at = fileHeaderBytes
	return err
}

// next gives the record at r.at and goes past it. The payload is nil at the end
// of the file and where no valid record is; it is valid until the next call.
func (r *reader) next() (recordHeader, []byte, error) {
	h, rec, err := r.recordAt(r.at)
	if err != nil || rec == nil {
		return recordHeader{}, nil, err
	}
	r.at += int64(len(rec))
	return h, rec[recordHeaderBytes:], nil
}

// recordAt gives the whole record at off, nil when there is no valid one.
func (r *reader) recordAt(off int64) (recordHeader, []byte, error) {
	if r.size-off < recordHeaderBytes {
		return recordHeader{}, nil, nil
	}
	b, err := r.bytes(off, recordHeaderBytes)
	if err != nil {
		return recordHeader{}, nil, err
	}
	h := parseRecordHeader(b)
	if h.epoch != uint32(r.header.epoch) || h.length > maxPayloadBytes || h.length > r.size-off-recordHeaderBytes {
		return recordHeader{}, nil, nil
	}
	rec, err := r.bytes(off, recordHeaderBytes+int(h.length))
	if err != nil || recordSum(rec, r.header.epoch) != binary.LittleEndian.Uint32(rec[4:]) {
		return recordHeader{}, nil, err
	}
	return h, rec, nil
}

// judgeDamage decides what the bad record at r.at is: nil for a torn end,
// ErrCorrupt for damage. It is damage when later files exist, since a file is
// durable before the next is made, or when a valid record further on was
// written after this place had been synced.
func (r *reader) judgeDamage(last bool) error {
	bad := fmt.Errorf("damage at %d of %d bytes: %w", r.at, r.size, model.ErrCorrupt)
	if !last {
		return bad
	}
	at, err := r.find(r.at+1, func(h recordHeader) bool { return h.synced > r.at })
	if err == nil && at >= 0 {
		err = bad
	}
	return err
}

// find gives the offset of the first valid record from off on that accept
// takes, or -1.
func (r *reader) find(off int64, accept func(recordHeader) bool) (int64, error) {
	mark := binary.LittleEndian.AppendUint32(nil, uint32(r.header.epoch))
	for r.size-off >= recordHeaderBytes {
		window, err := r.bytes(off, int(min(readAhead, r.size-off)))
		if err != nil {
			return -1, err
		}
		i := bytes.Index(window, mark)
		if i < 0 {
			off += int64(len(window) - len(mark) + 1)
			continue
		}
		off += int64(i)
		h, rec, err := r.recordAt(off)
		if err != nil {
			return -1, err
		}
		if rec != nil && accept(h) {
			return off, nil
		}
		off++
	}
	return -1, nil
}
