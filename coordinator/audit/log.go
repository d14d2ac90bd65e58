package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

const (
	// Of events that anyone can cause anyoneBurst bytes are written at once, some
	// three hundred of them, and anyoneRate bytes a second in the long run. A guesser
	// of passwords must not push the rest out of the files: at this pace the default
	// ones last for four days.
	anyoneBurst = 64 << 10
	anyoneRate  = 400

	// sayAgain is how long a failure to write is not logged again.
	sayAgain = 10 * time.Second
)

// Log records events. A nil Log records nothing. It is safe for concurrent use.
type Log struct {
	fs      vfs.FS
	name    string
	cfg     Config
	log     *slog.Logger
	metrics *metrics

	// mu protects all below. It is held while a line is written and synced: lines
	// come one after the other, and what is recorded is rare.
	mu    sync.Mutex
	file  vfs.File // nil when closed, or when it could not be opened
	size  int64
	shut  bool
	spent float64   // bytes of events that anyone causes, less what time gave back
	until time.Time // until when it did
	left  int       // of these events, not written since the last one that was
	said  time.Time // when a failure was logged
}

// Open gives a Log that goes on with the file of that name, or makes it. The
// part of a line that a crash left at its end is removed. reg may be nil.
func Open(fsys vfs.FS, name string, cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l := &Log{fs: fsys, name: name, cfg: cfg, log: log, metrics: newMetrics(reg)}
	if err := fsys.MkdirAll(path.Dir(name)); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	if err := l.openLocked(); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	return l, nil
}

// openLocked opens the file and finds where its last line ends.
func (l *Log) openLocked() error {
	f, err := l.fs.OpenAppend(l.name)
	if errors.Is(err, fs.ErrNotExist) {
		if f, err = l.fs.Create(l.name); err == nil {
			err = l.fs.SyncDir(path.Dir(l.name))
		}
	}
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err == nil {
		size, err = wholeLines(f, size)
	}
	if err != nil {
		f.Close() //nolint:errcheck // the first error says more
		return err
	}
	l.file, l.size = f, size
	return nil
}

// wholeLines cuts off what stands behind the last line end.
func wholeLines(f vfs.File, size int64) (int64, error) {
	if size == 0 {
		return 0, nil
	}
	tail := make([]byte, min(size, maxLine))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil {
		return 0, err
	}
	torn := len(tail) - 1 - bytes.LastIndexByte(tail, '\n')
	if torn == 0 {
		return size, nil
	}
	size -= int64(torn)
	return size, f.Truncate(size)
}

// Record writes an event as one line. It has been synced when Record returns,
// unless anyone can cause it. Of those events some are written in a time, and the
// next one says how many were left out. What cannot be written is counted and
// logged: what it tells of has been done.
func (l *Log) Record(e Event) {
	if l == nil {
		return
	}
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	left := 0
	if e.Anyone {
		l.spent = max(0, l.spent-anyoneRate*now.Sub(l.until).Seconds())
		l.until = now
		if l.spent >= anyoneBurst {
			l.left++
			l.metrics.leftOut.Inc()
			return
		}
		left, l.left = l.left, 0
	}
	line := e.line(now, left)
	if e.Anyone {
		l.spent += float64(len(line))
	}
	if err := l.writeLocked(line, !e.Anyone); err != nil {
		l.metrics.lost.Inc()
		if now.Sub(l.said) >= sayAgain {
			l.said = now
			l.log.Error("could not write to the audit log", "action", e.Action, "error", err)
		}
		return
	}
	l.metrics.lines.Inc()
}

func (l *Log) writeLocked(line []byte, sync bool) error {
	if l.shut {
		return model.ErrClosed
	}
	if l.file != nil && l.size > 0 && l.size+int64(len(line)) > l.cfg.MaxBytes {
		if err := l.rotateLocked(); err != nil {
			return err
		}
	}
	if l.file == nil {
		if err := l.openLocked(); err != nil {
			return err
		}
	}
	if _, err := l.file.Write(line); err != nil {
		// Half a line would make the next one unreadable, too.
		return errors.Join(err, l.file.Truncate(l.size))
	}
	l.size += int64(len(line))
	if sync {
		return l.file.Sync()
	}
	return nil
}

// rotateLocked renames the files. Where that fails it is tried again with the
// next line, and the file stays as it is.
func (l *Log) rotateLocked() error {
	err := errors.Join(l.file.Sync(), l.file.Close())
	l.file = nil
	if err != nil {
		return err
	}
	older := func(i int) string { return l.name + "." + strconv.Itoa(i) }
	if l.cfg.Keep == 0 {
		return l.fs.Remove(l.name)
	}
	for i := l.cfg.Keep - 1; i > 0; i-- {
		if err := l.fs.Rename(older(i), older(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return l.fs.Rename(l.name, older(1))
}

// Statement implements query.Audit.
func (l *Log) Statement(r *query.Request, action, database, text string, err error) {
	if l == nil {
		return
	}
	e := Event{Action: action, Address: r.Address, Request: r.ID, Database: database, Statement: text, Outcome: outcome(err)}
	e.Anyone = errors.Is(err, model.ErrForbidden)
	if r.User != nil {
		e.User = r.User.Name()
	}
	l.Record(e)
}

// outcome gives an error as an Event has it.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, model.ErrForbidden):
		return "refused: " + query.RedactURLs(err.Error())
	}
	return query.RedactURLs(err.Error())
}

// Close ends the log. What is recorded later is lost, and counted.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shut = true
	if l.file == nil {
		return nil
	}
	err := errors.Join(l.file.Sync(), l.file.Close())
	l.file = nil
	return err
}
