package tsm

import (
	"strings"

	"github.com/varvedb/varve/internal/arena"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/wal"
)

// memtable is the rows of a stretch of the log that are in no file yet. It takes
// rows into slabs until it is sealed; then it is packed: another takes its place
// that has the rows, in order, in a segment in memory, a tenth of the size. The
// shard's lock protects it; once sealed only its publication changes.
type memtable struct {
	span
	memory *memory // of the slabs
	tables []*memTable
	byName map[string]*memTable
	slabs  int64 // about what they take beside memory

	packed      *file // has the rows instead
	packedBytes int64

	logFile wal.FileID // when a flush sealed it: the last log file with rows of it
}

// span is which rows a memtable has.
type span struct {
	rows  int
	times model.TimeRange
	low   model.Version // of the rows
	high  model.Version
	ids   model.BatchSet // of the batches with rows
}

// memTable is the rows of one measurement.
type memTable struct {
	name      string
	at        int     // in memtable.tables
	slabs     []*slab // all but the last are full
	rows      int
	published int // the first rows, of batches that are durable
}

// memTableBytes is about what an empty memTable takes.
const memTableBytes = 256

// mark says how many rows of a table are durable with a batch.
type mark struct {
	table *memTable
	rows  int
}

func newMemtable(pool *arena.Pool) *memtable {
	return &memtable{
		span:   span{times: model.TimeRange{Min: model.MaxTime, Max: model.MinTime}},
		memory: newMemory(pool),
		byName: map[string]*memTable{},
	}
}

// bytes gives about what m takes.
func (m *memtable) bytes() int64 {
	if m.packed != nil {
		return m.packedBytes
	}
	return m.memory.bytes + m.slabs
}

// flushing reports whether a flush of m is under way, or has failed.
func (m *memtable) flushing() bool { return m.logFile != 0 }

// release gives back what m holds; Readers may hold it, too.
func (m *memtable) release() error {
	if m.packed != nil {
		return m.packed.release()
	}
	return m.memory.release()
}

// empty reports whether no batch is in m; one without rows must be noted in the
// manifest, too, before the log goes.
func (m *memtable) empty() bool { return m.ids.Empty() }

// insert adds the rows of b; ids are those of b.Series. The marks that publish
// them are added to marks.
func (m *memtable) insert(b *model.Batch, ids []uint32, marks []mark) []mark {
	m.ids.Add(b.ID)
	if b.Rows() == 0 {
		return marks
	}
	if m.rows == 0 {
		m.low, m.high = b.Version, b.Version
	}
	if b.Version.Less(m.low) {
		m.low = b.Version
	}
	if m.high.Less(b.Version) {
		m.high = b.Version
	}
	for i := range b.Tables {
		t := &b.Tables[i]
		if len(t.Times) == 0 {
			continue
		}
		mt := m.byName[t.Measurement]
		if mt == nil {
			mt = &memTable{name: strings.Clone(t.Measurement), at: len(m.tables)}
			m.byName[mt.name] = mt
			m.tables = append(m.tables, mt)
			m.slabs += memTableBytes
		}
		m.slabs += int64(mt.append(m.memory, t, ids, b.Version))
		m.rows += len(t.Times)
		m.times = m.times.Union(t.Range())
		marks = append(marks, mark{table: mt, rows: mt.rows})
	}
	return marks
}

func (t *memTable) append(m *memory, from *model.Table, ids []uint32, v model.Version) (bytes int) {
	for lo := 0; lo < len(from.Times); {
		var last *slab
		if n := len(t.slabs); n > 0 {
			last = t.slabs[n-1]
		}
		if last == nil || last.room(from.Columns) == 0 {
			last = newSlab(m)
			t.slabs = append(t.slabs, last)
			bytes += slabBytes
		}
		hi := min(len(from.Times), lo+last.room(from.Columns))
		bytes += last.append(from, ids, v, lo, hi)
		lo = hi
	}
	t.rows += len(from.Times)
	return bytes
}

// views gives the first rows of t, which must not be more than are published.
func (t *memTable) views(rows int) []*slabView {
	var views []*slabView
	for _, s := range t.slabs {
		if rows == 0 {
			break
		}
		n := min(rows, s.rows())
		views = append(views, s.view(n))
		rows -= n
	}
	return views
}
