package tsm

import (
	"errors"
	"fmt"
	"log/slog"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/index"
	"github.com/varvedb/varve/tsm/wal"
)

// Shard is one shard: a log, memtables, segment files and an index in a
// directory of its own, which nothing else may open meanwhile. It is safe for
// concurrent use.
type Shard struct {
	fs      vfs.FS
	dir     string
	cfg     Config
	log     *slog.Logger
	metrics *Metrics
	index   *index.Index
	wal     *wal.Log

	// One flush and one compaction at a time, and both at once: a long
	// compaction must not keep memtables from being written. These are taken
	// before installing, that before mu, and all but mu are held across syncs.
	compacting sync.Mutex
	flushing   sync.Mutex
	packing    sync.Mutex      // taken after flushing
	indexing   sync.Mutex      // index files are being merged
	installing sync.Mutex      // a change of the manifest and, the same, of mu
	manifest   *manifest       // installing protects it
	applied    *model.BatchSet // what the manifest says; installing protects it
	buried     *roaring.Bitmap // what the manifest says; installing protects it
	pins       pins
	indexScrub scrubState
	logDamage  atomic.Pointer[error] // why records of the log cannot be read
	doubtful   []string              // files that only a record names that may not be in force; installing protects it

	searching  atomic.Bool // for rows that deletes have left, in the background
	background sync.WaitGroup

	queued  [works]atomic.Bool  // by the Worker, per kind of work
	backlog [works]atomic.Int64 // as last seen by due
	small   atomic.Int32        // files of the lowest level
	closing atomic.Bool         // files that are being written are given up
	disk    diskSpace

	mu struct {
		sync.Mutex
		closed     bool
		files      []*file     // oldest first
		indexes    []indexFile // by first series
		nextID     uint64      // for a file
		nextDelete uint64      // for a tombstone
		// frontier is the version below which nothing is taken any more, because
		// files were written, or deletes forgotten, on that understanding.
		frontier model.HLC
		newest   model.HLC // of the versions in files, memtables and deletes

		deletes *deletes // published; replaced, never changed
		active  *memtable
		sealed  []*memtable // packed, to be packed or being flushed, oldest first
		held    model.BatchSet
		recent  recentVersions

		pending         []*pending // appended to the log and not durable yet, in that order
		last            wal.LSN
		sealedLog       int64      // what had been appended to the log when a flush last sealed
		flushedLog      wal.FileID // log files up to this one have only what the manifest has durably
		publishedSeries uint32     // series with lower ids were named by published batches
		checks          []*burialCheck
		room            chan struct{} // closed when memory is given back
		lastWrite       time.Time
		retryAt         [works]time.Time // per kind of work: the Worker failed and waits until then
	}
}

// pending is a batch that waits for the sync that covers it.
type pending struct {
	lsn    wal.LSN
	id     model.BatchID
	marks  []mark
	ids    []uint32 // series with rows that no delete hides
	delete *tombstone
	series uint32 // the number of series known with the batch
}

var errClosed = fmt.Errorf("shard: %w", model.ErrClosed)

func (s *Shard) now() time.Time { return s.cfg.Now() }

func (s *Shard) path(name string) string { return path.Join(s.dir, name) }

// memtablesLocked gives those with rows, oldest first.
func (s *Shard) memtablesLocked() []*memtable {
	var all []*memtable
	for _, m := range s.mu.sealed {
		if m.rows > 0 {
			all = append(all, m)
		}
	}
	if s.mu.active.rows > 0 {
		all = append(all, s.mu.active)
	}
	return all
}

func (s *Shard) memoryLocked() int64 {
	n := s.mu.active.bytes() + s.index.MemoryBytes()
	for _, m := range s.mu.sealed {
		n += m.bytes()
	}
	return n
}

// Held is what a shard holds until the next flush.
type Held struct {
	Bytes    int64 // in memtables
	Unpacked int64 // of them those that Pack makes a tenth of
	Log      int64 // bytes of log
}

// Held is cheap: it is asked after every write.
func (s *Shard) Held() Held {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Held{Bytes: s.memoryLocked(), Unpacked: s.mu.active.bytes(), Log: s.wal.Appended() - s.mu.sealedLog}
}

// makeRoomLocked tells writers that wait that memory was given back.
func (s *Shard) makeRoomLocked() {
	close(s.mu.room)
	s.mu.room = make(chan struct{})
}

// reportDamage tells that a file was found damaged just now.
func (s *Shard) reportDamage(f *file) {
	s.metrics.QuarantinedFiles.Inc()
	s.log.Error("quarantined file", "dir", s.dir, "err", f.err())
}

// Close stops the shard: writes and new readers fail, readers that there are go
// on, a flush or compaction is given up. What is in no file yet stays in the
// log. It may be called twice.
func (s *Shard) Close() error {
	s.mu.Lock()
	s.closing.Store(true) // nothing is begun in the background from now on
	s.mu.Unlock()
	if s.cfg.Worker != nil {
		s.cfg.Worker.remove(s)
	}
	s.background.Wait()
	s.compacting.Lock()
	defer s.compacting.Unlock()
	s.flushing.Lock()
	defer s.flushing.Unlock()
	s.packing.Lock()
	defer s.packing.Unlock()
	s.indexing.Lock()
	defer s.indexing.Unlock()
	s.installing.Lock()
	defer s.installing.Unlock()
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		return nil
	}
	s.mu.closed = true
	s.mu.Unlock()
	return errors.Join(s.wal.Close(), s.manifest.close(), s.index.Close(), s.release())
}

// release gives back files and memory, when nothing new is begun any more.
func (s *Shard) release() error {
	s.mu.Lock()
	files, mems := s.mu.files, append(s.mu.sealed, s.mu.active)
	s.mu.files, s.mu.sealed, s.mu.active = nil, nil, newMemtable(nil)
	s.mu.Unlock()
	var errs []error
	for _, f := range files {
		errs = append(errs, f.release())
	}
	for _, m := range mems {
		errs = append(errs, m.release())
	}
	return errors.Join(errs...)
}

// levels is how many levels Info tells apart: more than files of a shard that
// is written to can reach within maxMergeBytes, and the one of those to be kept.
const levels = 6

func (f *file) infoLevel() int { return min(int(f.meta.level), levels-1) }

// Info is what is known of a shard at a moment.
type Info struct {
	DiskBytes   int64           // segment files, index files and log
	LogBytes    int64           // of them the log
	LogSince    time.Time       // when the last batch of the oldest log file was stamped; zero when there is none
	MemoryBytes int64           // memtables, and series that are in no file yet
	Files       int             // segment files
	Levels      []int           // segment files per level, the last those written to be kept
	DebtBytes   int64           // of segment files that are to be compacted by now
	Quarantined int             // segment files found damaged
	Series      int             // with data as far as known
	Rows        int64           // in files and memory, overwritten and deleted ones among them
	Range       model.TimeRange // of all rows, empty when there are none
	Hot         bool            // has rows or deletes that are only in the log and in memory
	LastWrite   time.Time       // since the shard was opened
}

// Info gives what is known of the shard.
func (s *Shard) Info() Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := Info{
		LogBytes:    s.wal.Size(),
		MemoryBytes: s.memoryLocked(),
		Files:       len(s.mu.files),
		Series:      s.index.Live(s.mu.publishedSeries),
		Range:       model.TimeRange{Min: model.MaxTime, Max: model.MinTime},
		LastWrite:   s.mu.lastWrite,
		Levels:      make([]int, levels),
		DebtBytes:   s.debtLocked(),
	}
	if since := s.wal.Since(); since != 0 {
		i.LogSince = since.Time()
	}
	i.DiskBytes = i.LogBytes
	for _, x := range s.mu.indexes {
		i.DiskBytes += x.size
	}
	for _, f := range s.mu.files {
		i.DiskBytes += f.meta.size
		i.Levels[f.infoLevel()]++
		i.Rows += f.meta.rows
		i.Range = i.Range.Union(f.meta.times)
		if f.err() != nil {
			i.Quarantined++
		}
	}
	for _, m := range s.memtablesLocked() {
		i.Rows += int64(m.rows)
		i.Range = i.Range.Union(m.times)
		i.Hot = true
	}
	for _, t := range s.mu.deletes.all {
		i.Hot = i.Hot || !t.kept
	}
	return i
}
