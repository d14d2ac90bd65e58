package tsm

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/index"
	"github.com/varvedb/varve/tsm/segment"
	"github.com/varvedb/varve/tsm/wal"
)

// viewAttempts is how often View begins anew when files change under it.
const viewAttempts = 5

// View opens the shard in dir as a start would find it, and changes nothing
// there: what it recovers and trims is changed in memory only. Without withLog
// it has what is in files and takes no memory for the rest.
//
// A server may run on the directory: where files came and went meanwhile, View
// begins anew, and gives model.ErrUnavailable when that does not end. What it
// gives is of one moment, and stays.
func View(fsys vfs.FS, dir string, withLog bool) (*Shard, error) {
	var missing error // a file is, in an attempt during which nothing changed
	changes := false
	for range viewAttempts {
		before, err := inForce(fsys, dir)
		if err != nil {
			return nil, fmt.Errorf("open shard %s: %w", dir, err)
		}
		s, openErr := view(fsys, dir, withLog)
		after, err := inForce(fsys, dir)
		same := err == nil && before == after
		// What a manifest does not need any more goes after it is in force.
		vanished := errors.Is(openErr, fs.ErrNotExist)
		if same && !vanished {
			return s, openErr
		}
		if same {
			missing = openErr
		}
		changes = changes || !same
		// The log may have been trimmed of what only the newer manifest has.
		if openErr == nil {
			err = s.Close()
		}
		if err != nil {
			return nil, fmt.Errorf("open shard %s: %w", dir, err)
		}
	}
	if !changes {
		return nil, missing
	}
	return nil, fmt.Errorf("open shard %s: its files change all the time: %w", dir, model.ErrUnavailable)
}

// inForce says which manifest is in force, and how long it is.
func inForce(fsys vfs.FS, dir string) (durable, error) {
	current, err := vfs.ReadFile(fsys, path.Join(dir, currentName), 1<<10)
	if err != nil {
		return durable{}, err
	}
	var d durable
	if _, err := fmt.Sscanf(string(current), manifestPrefix+"%d", &d.number); err != nil {
		return d, nil // damaged: Open will tell
	}
	size, err := fsys.Size(path.Join(dir, manifestName(d.number)))
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	d.size = int(size)
	return d, err
}

func view(fsys vfs.FS, dir string, withLog bool) (*Shard, error) {
	over := vfs.NewOverlay(fsys)
	if !withLog {
		if err := over.RemoveAll(path.Join(dir, logDir)); err != nil {
			return nil, err
		}
	}
	return Open(over, dir, DefaultConfig())
}

// FileInfo is what the manifest says of a segment file.
type FileInfo struct {
	Name      string
	Level     int
	Bytes     int64
	Rows      int64
	Range     model.TimeRange
	Versioned bool
	Low, High model.Version

	Segments *segment.Reader // nil when Err is set; good until the Reader is closed
	Err      error           // why the file must not be read
}

// Files gives the segment files that r reads, oldest first.
func (r *Reader) Files() []FileInfo {
	all := make([]FileInfo, len(r.files))
	for i, f := range r.files {
		m := &f.meta
		all[i] = FileInfo{
			Name: segmentName(m.id), Level: int(m.level), Bytes: m.size, Rows: m.rows, Range: m.times,
			Versioned: m.versioned, Low: m.low, High: m.high, Err: f.err(),
		}
		if all[i].Err == nil {
			all[i].Segments = f.r
		}
	}
	return all
}

// LogDir gives where the log of the shard in dir is.
func LogDir(dir string) string { return path.Join(dir, logDir) }

// Finding is something wrong with a file of a shard.
type Finding struct {
	File   string // in the shard's directory; "" where Err names it
	Part   string // of the file; "" is the file as a whole
	Offset int64
	Err    error
}

func (f Finding) String() string {
	switch {
	case f.File == "":
		return f.Err.Error()
	case f.Part == "":
		return fmt.Sprintf("%s: %v", f.File, f.Err)
	}
	return fmt.Sprintf("%s: %s at %d: %v", f.File, f.Part, f.Offset, f.Err)
}

// Inspected is what Inspect has looked at.
type Inspected struct {
	Files      int   // segment files in force
	Bytes      int64 // of them
	Rows       int64
	Series     int // with data
	LogFiles   int
	LogBytes   int64
	LogBatches int64
	TornBytes  int64 // at the end of the log, not acknowledged
	Unused     int   // segment files that the manifest does not name: a start removes them
}

// Inspect reads and checks every file of the shard in dir without changing
// anything: the manifest, every checksum and every block of segment files, the
// index and that it has the series of the files, every record of the log. What
// is wrong goes to report. An error is that the directory cannot be read.
//
// It takes the memory of the index, of a segment and of a batch. On the
// directory of a running server it may find wrong what changes meanwhile.
func Inspect(fsys vfs.FS, dir string, report func(Finding)) (in Inspected, err error) {
	names, err := fsys.List(dir)
	if err != nil {
		return in, err
	}
	c := &inspection{fs: fsys, dir: dir, report: report, in: &in}
	c.log()
	if slices.Contains(names, durableName) {
		b, err := vfs.ReadFile(fsys, path.Join(dir, durableName), 1<<10)
		if err == nil {
			_, err = decodeDurable(b)
		}
		c.find(durableName, err)
	}
	s, err := View(fsys, dir, false)
	if err != nil {
		// Each file can still be looked at by itself.
		c.find("", err)
		for _, name := range names {
			if path.Ext(name) == segmentSuffix {
				c.file(name, nil, nil)
			}
		}
		return in, nil
	}
	r, err := s.Reader()
	if err != nil {
		return in, errors.Join(err, s.Close())
	}
	in.Series = s.Info().Series
	known := r.index
	if !c.indexes(s) {
		known = nil
	}
	used := map[string]bool{}
	for _, f := range r.Files() {
		used[f.Name] = true
		c.file(f.Name, &f, known)
	}
	for _, name := range names {
		if path.Ext(name) == segmentSuffix && !used[name] {
			in.Unused++
		}
	}
	if known == nil {
		_ = r.Close() // damage of the index, which was told
		return in, s.Close()
	}
	return in, errors.Join(r.Close(), s.Close())
}

// inspection is one Inspect.
type inspection struct {
	fs     vfs.FS
	dir    string
	report func(Finding)
	in     *Inspected
}

// find reports an error of a file as a whole, if it is one.
func (c *inspection) find(file string, err error) {
	if err != nil {
		c.report(Finding{File: file, Err: err})
	}
}

// file checks a segment file: against the manifest and the index, where they
// are known.
func (c *inspection) file(name string, info *FileInfo, index *index.View) {
	c.in.Files++
	size, err := c.fs.Size(path.Join(c.dir, name))
	if err != nil && (info == nil || info.Err != nil) {
		c.find(name, err)
		return
	}
	c.in.Bytes += size
	if err == nil && info != nil && size != info.Bytes {
		c.find(name, fmt.Errorf("%d bytes, the manifest says %d: %w", size, info.Bytes, model.ErrCorrupt))
	}
	r := (*segment.Reader)(nil)
	if info != nil && info.Segments != nil {
		r = info.Segments
	} else if r, err = openSegment(c.fs, path.Join(c.dir, name)); err != nil {
		c.find(name, err)
		return
	} else {
		defer r.Close()
	}
	c.in.Rows += r.Meta().Rows
	if info != nil && r.Meta().Rows != info.Rows {
		c.find(name, fmt.Errorf("%d rows, the manifest says %d: %w", r.Meta().Rows, info.Rows, model.ErrCorrupt))
	}
	if InspectSegments(name, r, c.report) && index != nil {
		c.series(name, r, index)
	}
}

// InspectSegments checks every checksum of a segment file and, where those are
// right, decodes every block.
func InspectSegments(name string, r *segment.Reader, report func(Finding)) (sound bool) {
	sound = true
	for seg := range r.Segments() {
		for i := range seg.Parts {
			p := &seg.Parts[i]
			ok, err := r.Intact(p)
			if err == nil && !ok {
				err = fmt.Errorf("checksum: %w", model.ErrCorrupt)
			}
			if err == nil {
				continue
			}
			sound = false
			what := fmt.Sprintf("%s of segment %d of measurement %q", p.Kind, seg.Number, seg.Measurement)
			if p.Field.Name != "" {
				what = fmt.Sprintf("%s of field %q in segment %d of measurement %q", p.Kind, p.Field.Name, seg.Number, seg.Measurement)
			}
			report(Finding{File: name, Part: what, Offset: p.Offset, Err: err})
		}
	}
	if !sound {
		return false
	}
	// What is left are errors of whoever wrote the file.
	if err := segment.Verify(r); err != nil {
		report(Finding{File: name, Err: err})
		return false
	}
	return true
}

// indexes checks the files of the index.
func (c *inspection) indexes(s *Shard) (sound bool) {
	s.mu.Lock()
	files := slices.Clone(s.mu.indexes)
	s.mu.Unlock()
	sound = true
	for _, x := range files {
		f, err := openIndex(c.fs, c.dir, x, nil)
		if err == nil {
			err = errors.Join(f.Verify(), f.Close())
		}
		c.find(indexName(x.id), err)
		sound = sound && err == nil
	}
	return sound
}

// series checks that the index has the series of a file, as that of the same
// measurement. Of each measurement the first that it has not is told.
func (c *inspection) series(name string, r *segment.Reader, index *index.View) {
	for _, m := range r.Measurements() {
		ids, err := r.AppendSeries(nil, m)
		for _, id := range ids {
			if got := index.Measurement(id); got != m {
				err = fmt.Errorf("series %d of measurement %q is one of %q in the index: %w", id, m, got, model.ErrCorrupt)
				break
			}
		}
		c.find(name, err)
	}
}

// log checks the files of the log, and that they follow one another.
func (c *inspection) log() {
	names, err := wal.Files(c.fs, LogDir(c.dir))
	c.find(logDir, err)
	var before wal.Inspected
	batches, whole := wal.LSN(0), false
	for _, name := range names {
		file := path.Join(logDir, path.Base(name))
		wasWhole, count := whole, wal.LSN(0)
		keys := map[model.SeriesHash]bool{}
		whole = true
		in, err := wal.Inspect(c.fs, name, func(r wal.Record) error {
			if r.Batch != nil && r.Err == nil {
				r.Err = missingKeys(keys, r.Batch)
			}
			if r.Err != nil {
				whole = false
				c.report(Finding{File: file, Part: fmt.Sprintf("%d bytes", r.Bytes), Offset: r.Offset, Err: r.Err})
			}
			if r.LSN != 0 {
				count++
			}
			return nil
		})
		if err != nil {
			whole = false
			c.find(file, err)
		}
		if wasWhole && whole && (in.ID != before.ID+1 || in.First != before.First+batches) {
			c.find(file, fmt.Errorf("file %d from batch %d on follows file %d with batches up to %d: %w", in.ID, in.First, before.ID, before.First+batches-1, model.ErrCorrupt))
		}
		before, batches = in, count
		c.in.LogFiles++
		c.in.LogBytes += in.Bytes
		c.in.LogBatches += int64(count)
		c.in.TornBytes += in.Torn
	}
}

// missingKeys finds a series of which the file has not had the key.
func missingKeys(known map[model.SeriesHash]bool, b *model.Batch) error {
	for i := range b.Series {
		switch s := &b.Series[i]; {
		case s.Key != nil:
			known[s.Hash] = true
		case !known[s.Hash]:
			return fmt.Errorf("batch %v: no key of series %d: %w", b.ID, i, model.ErrCorrupt)
		}
	}
	return nil
}
