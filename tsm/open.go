package tsm

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/index"
	"github.com/varvedb/varve/tsm/wal"
)

// logDir is where in the shard's directory the log is.
const logDir = "log"

// Open opens the shard in dir, which is made when missing. All that was
// acknowledged is there when it returns. A segment file that is damaged is
// quarantined: scans that would need it fail; a damaged manifest, index or log
// is an error of kind model.ErrCorrupt.
func Open(fsys vfs.FS, dir string, cfg Config) (*Shard, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	s := &Shard{
		fs: fsys, dir: dir, cfg: cfg, log: cfg.Log, metrics: cfg.Metrics,
		index: index.New(), applied: &model.BatchSet{}, buried: roaring.New(),
	}
	s.mu.active = newMemtable(cfg.Arena)
	s.mu.deletes = &deletes{}
	s.mu.room = make(chan struct{})
	if err := s.open(); err != nil {
		err = errors.Join(err, s.release())
		if s.manifest != nil {
			err = errors.Join(err, s.manifest.close())
		}
		err = errors.Join(err, s.index.Close())
		return nil, fmt.Errorf("open shard %s: %w", dir, err)
	}
	if s.unsearched() {
		s.buryLater()
	}
	if cfg.Worker != nil {
		cfg.Worker.add(s)
	}
	return s, nil
}

func (s *Shard) open() error {
	if err := vfs.MkdirAll(s.fs, s.dir); err != nil {
		return err
	}
	edits, m, err := readManifest(s.fs, s.dir, s.log)
	if err != nil {
		return err
	}
	if m == nil {
		if err := s.mustBeNew(); err != nil {
			return err
		}
		if m, err = createManifest(s.fs, s.dir, 1, &edit{}); err != nil {
			return err
		}
	}
	s.manifest = m
	if err := s.load(edits); err != nil {
		return err
	}
	// A crash may have come before the last record, which is in force now, was
	// known to be durable.
	if err := s.manifest.confirm(); err != nil {
		// A full disk must not keep what there is from being read. Nothing is let
		// go until there is a new manifest: this one takes no records any more.
		s.log.Warn("cannot make manifest durable", "dir", s.dir, "err", err)
		_, err := s.replay()
		return err
	}
	if err := s.removeOrphans(); err != nil {
		return err
	}
	needed, err := s.replay()
	if err != nil {
		return err
	}
	s.noteFlushedLog(needed)
	// A crash came before the flush did, and of a shard that is not written to
	// any more none may come.
	if err := s.ReleaseLog(); err != nil {
		s.log.Warn("cannot trim log", "dir", s.dir, "err", err)
	}
	return nil
}

// mustBeNew fails in a directory that has data but no manifest.
func (s *Shard) mustBeNew() error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if ext := path.Ext(name); ext == segmentSuffix || ext == indexSuffix || name == logDir || name == durableName {
			return fmt.Errorf("there is %s but no %s: %w", name, currentName, model.ErrCorrupt)
		}
	}
	return nil
}

// load brings about what the manifest says.
func (s *Shard) load(edits []*edit) error {
	var files []fileMeta
	var all []*tombstone
	for _, e := range edits {
		s.mu.nextID, s.mu.nextDelete, s.mu.frontier = e.nextID, e.nextDelete, e.frontier
		files = slices.DeleteFunc(files, func(f fileMeta) bool { return slices.Contains(e.dropFiles, f.id) })
		files = append(files, e.addFiles...)
		applyIndexes(&s.mu.indexes, e)
		all = append(all, e.addDeletes...)
		all = slices.DeleteFunc(all, func(t *tombstone) bool { return slices.Contains(e.dropDeletes, t.number) })
		if e.applied != nil {
			s.applied.AddAll(e.applied)
		}
		if e.buried != nil {
			s.buried = e.buried
		}
	}
	s.mu.held.AddAll(s.applied)
	if err := s.loadIndex(); err != nil {
		return err
	}
	s.index.Bury(s.buried)
	s.mu.publishedSeries = s.index.Len()
	for _, t := range all {
		var err error
		if t.series, err = s.index.Match(t.where); err != nil {
			return err
		}
		s.mu.newest = max(s.mu.newest, t.version.HLC)
	}
	s.mu.deletes = newDeletes(all)
	for _, meta := range files {
		s.mu.newest = max(s.mu.newest, meta.high.HLC)
		f, err := openFile(s.fs, s.dir, meta)
		if err != nil {
			return err
		}
		if f.err() != nil {
			s.reportDamage(f)
		}
		f.since = s.now()
		s.mu.files = append(s.mu.files, f)
	}
	s.countSmallLocked()
	return nil
}

// removeOrphans removes what a crash has left of steps that were not finished,
// and what could not be removed when it was let go.
func (s *Shard) removeOrphans() error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	keep := map[string]bool{manifestName(s.manifest.number): true}
	for _, f := range s.mu.files {
		keep[segmentName(f.meta.id)] = true
	}
	for _, x := range s.mu.indexes {
		keep[indexName(x.id)] = true
	}
	for _, name := range names {
		ours := strings.HasPrefix(name, manifestPrefix) || slices.Contains([]string{segmentSuffix, indexSuffix, tmpSuffix}, path.Ext(name))
		if ours && !keep[name] {
			if err := removeIfAny(s.fs, s.path(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeManifests removes those that are not in force.
func (s *Shard) removeManifests() error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, manifestPrefix) && name != manifestName(s.manifest.number) {
			if err := removeIfAny(s.fs, s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// replay brings back what is only in the log, and gives the first log file with
// something that is nowhere else, 0 when there is none.
func (s *Shard) replay() (needed wal.FileID, err error) {
	cfg := wal.DefaultConfig()
	cfg.Metrics, cfg.Logger = s.metrics.Log, s.log
	now := s.now()
	cfg.Skip = func(_ wal.FileID, v model.Version) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.holdsLocked(v.ID) {
			return false
		}
		s.mu.recent.add(v, now)
		return true
	}
	log, err := wal.Open(s.fs, s.path(logDir), cfg, func(id wal.FileID, b *model.Batch) error {
		if needed == 0 {
			needed = id
		}
		return s.replayBatch(b)
	})
	if err != nil {
		return 0, err
	}
	s.wal = log
	s.mu.sealedLog = log.Appended() - log.Size()
	return needed, nil
}

// noteFlushedLog notes which files of a log that was replayed may go: those
// before the first that is needed, or all when that is 0.
func (s *Shard) noteFlushedLog(needed wal.FileID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.wal.Closed(math.MaxUint64) {
		if needed == 0 || f.ID < needed {
			s.mu.flushedLog = f.ID
		}
	}
}

// replayBatch takes a batch of the log that is nowhere else.
func (s *Shard) replayBatch(b *model.Batch) error {
	ids, unknown, err := s.index.Lookup(nil, b.Series)
	if err != nil {
		return err
	}
	covered, err := s.match(b)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if unknown {
		if _, err := s.addSeriesLocked(b, ids); err != nil {
			s.mu.Unlock()
			return fmt.Errorf("replay batch %v: %w: %w", b.ID, model.ErrCorrupt, err)
		}
	}
	if err := s.extendLocked(&covered, b); err != nil {
		s.mu.Unlock()
		return err
	}
	s.takeLocked(b, ids, covered, 0)
	full := s.mu.active.bytes() >= s.cfg.PackBytes
	s.mu.Unlock()
	s.publish(0)
	if full {
		return s.packReplayed()
	}
	return nil
}
