package parking

import (
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// Log is the parked batches of one coordinator. It is safe for concurrent use.
type Log struct {
	fs      vfs.FS
	dir     string
	cfg     Config
	log     *slog.Logger
	metrics *metrics

	// syncing is held during a sync. Who waits for it finds most often that his
	// record was covered by the sync of another.
	syncing sync.Mutex

	mu struct { // never held during a sync but that which ends a file
		sync.Mutex
		files   []*file  // oldest first; the last is appended to when writer is set
		writer  vfs.File // nil before the first record, and after a failure
		last    uint64   // the last id given
		order   []uint64 // ids of what is pending, ascending
		pending map[uint64]*pending
		closed  bool
	}
}

// file is one file of the log.
type file struct {
	name   string
	size   int64
	synced int64 // how much of it is durable
	live   int   // entries in it that are pending, or about to be
}

// pending is an entry that is to be delivered.
type pending struct {
	file   *file
	offset int64 // of the record's head
	size   int
	parked time.Time
	place  Place
	stamp  model.Version
}

// Entry is a parked batch.
type Entry struct {
	ID     uint64 // ascending in the order of parking
	Place  Place
	Parked time.Time
	Stamp  model.Version // zero before the first Stamp
	Batch  *model.Batch  // carries Stamp
}

// Open reads the log in dir, which is made when missing. reg may be nil.
func Open(fs vfs.FS, dir string, cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l := &Log{fs: fs, dir: dir, cfg: cfg, log: log}
	l.mu.pending = make(map[uint64]*pending)
	if err := vfs.MkdirAll(fs, dir); err != nil {
		return nil, fmt.Errorf("open parking log: %w", err)
	}
	if err := l.replay(); err != nil {
		return nil, fmt.Errorf("open parking log: %w", err)
	}
	l.metrics = newMetrics(reg, l)
	return l, nil
}

// errFull is what a client sees whose batch cannot be parked.
func errFull(why string) error {
	return &model.Error{Kind: model.ErrOverloaded, Text: "no owner can be reached, and " + why}
}

// Park makes a batch durable. It fails with model.ErrOverloaded when the log is
// full, and the batch stays the caller's.
func (l *Log) Park(place Place, b *model.Batch) error {
	plain := *b
	plain.ID, plain.Version = model.BatchID{}, model.Version{}
	r := record{kind: kindEntry, parked: time.Now(), place: place, batch: model.AppendBatch(nil, &plain)}

	l.mu.Lock()
	if err := l.admitLocked(int64(len(r.batch)), r.parked); err != nil {
		l.mu.Unlock()
		l.metrics.refused.Inc()
		return err
	}
	l.mu.last++
	r.id = l.mu.last
	f, offset, size, err := l.appendLocked(&r)
	if err != nil {
		l.mu.Unlock()
		return fmt.Errorf("park: %w: %w", model.ErrUnavailable, err)
	}
	l.mu.Unlock()
	err = l.sync(f, offset+int64(size))

	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		f.live--
		return fmt.Errorf("park: %w: %w", model.ErrUnavailable, err)
	}
	l.addLocked(r.id, &pending{file: f, offset: offset, size: size, parked: r.parked, place: place})
	return nil
}

func (l *Log) admitLocked(bytes int64, now time.Time) error {
	if l.mu.closed {
		return fmt.Errorf("park: %w: %w", model.ErrUnavailable, model.ErrClosed)
	}
	total := bytes
	for _, f := range l.mu.files {
		total += f.size
	}
	switch {
	case total > l.cfg.MaxBytes:
		return errFull(fmt.Sprintf("%d bytes are parked already", total-bytes))
	case len(l.mu.order) >= l.cfg.MaxEntries:
		return errFull(fmt.Sprintf("%d batches are parked already", len(l.mu.order)))
	case len(l.mu.order) > 0 && now.Sub(l.mu.pending[l.mu.order[0]].parked) > l.cfg.MaxAge:
		return errFull(fmt.Sprintf("what is parked is older than %v", l.cfg.MaxAge))
	}
	return nil
}

// addLocked enters an entry. Those parked at the same time come in any order.
func (l *Log) addLocked(id uint64, p *pending) {
	i, _ := slices.BinarySearch(l.mu.order, id)
	l.mu.order = slices.Insert(l.mu.order, i, id)
	l.mu.pending[id] = p
}

// Next gives the first batch with an id above after, or nil. One that cannot be
// read any more is counted, logged and left out.
func (l *Log) Next(after uint64) (*Entry, error) {
	for {
		l.mu.Lock()
		i, found := slices.BinarySearch(l.mu.order, after)
		if found {
			i++
		}
		if i == len(l.mu.order) {
			l.mu.Unlock()
			return nil, nil
		}
		id := l.mu.order[i]
		p := *l.mu.pending[id]
		l.mu.Unlock()

		e, err := l.read(id, &p)
		if !errors.Is(err, model.ErrCorrupt) {
			return e, err
		}
		l.metrics.damaged.Inc()
		l.log.Error("parked batch is damaged and lost", "file", p.file.name, "offset", p.offset, "error", err)
		if err := l.Done(id); err != nil {
			return nil, err
		}
	}
}

func (l *Log) read(id uint64, p *pending) (*Entry, error) {
	f, err := l.fs.Open(path.Join(l.dir, p.file.name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, p.size)
	if _, err := f.ReadAt(b, p.offset); err != nil {
		return nil, fmt.Errorf("read parked batch: %w", err)
	}
	r, _, err := cutRecord(b)
	if err != nil {
		return nil, err
	}
	batch, err := model.DecodeBatch(r.batch)
	if err != nil {
		return nil, err
	}
	batch.ID, batch.Version = p.stamp.ID, p.stamp
	return &Entry{ID: id, Place: p.place, Parked: p.parked, Stamp: p.stamp, Batch: batch}, nil
}

// Stamp makes durable that the batch has this id and version. Only then may it
// be sent with them.
func (l *Log) Stamp(id uint64, v model.Version) error {
	l.mu.Lock()
	f, offset, size, err := l.appendLocked(&record{kind: kindStamp, id: id, stamp: v})
	l.mu.Unlock()
	if err != nil {
		return fmt.Errorf("stamp parked batch: %w", err)
	}
	if err := l.sync(f, offset+int64(size)); err != nil {
		return fmt.Errorf("stamp parked batch: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.mu.pending[id]; p != nil {
		p.stamp = v
	}
	return nil
}

// Done takes an entry out. It is durable after the next Sync; until then a
// crash brings the entry back, with its stamp.
func (l *Log) Done(id uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.mu.pending[id]
	if p == nil {
		return nil
	}
	if _, _, _, err := l.appendLocked(&record{kind: kindDone, id: id}); err != nil {
		return fmt.Errorf("end parked batch: %w", err)
	}
	l.removeLocked(id)
	return nil
}

func (l *Log) removeLocked(id uint64) {
	p := l.mu.pending[id]
	if p == nil {
		return
	}
	p.file.live--
	delete(l.mu.pending, id)
	i, found := slices.BinarySearch(l.mu.order, id)
	switch {
	case !found:
	case i == 0: // most often
		l.mu.order = l.mu.order[1:]
	default:
		l.mu.order = slices.Delete(l.mu.order, i, i+1)
	}
}

// Sync makes all that was done durable, and removes the files that are not
// needed any more.
func (l *Log) Sync() error {
	l.mu.Lock()
	var f *file
	size := int64(0)
	if l.mu.writer != nil {
		f = l.mu.files[len(l.mu.files)-1]
		size = f.size
	}
	l.mu.Unlock()
	if f != nil {
		if err := l.sync(f, size); err != nil {
			return fmt.Errorf("sync parking log: %w", err)
		}
	}
	return l.trim()
}

// Close makes all that was done durable. It is safe to call twice.
func (l *Log) Close() error {
	err := l.Sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.closed = true
	if l.mu.writer != nil {
		err = errors.Join(err, l.mu.writer.Close())
		l.mu.writer = nil
	}
	return err
}
