package tsm

import (
	"strings"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/wal"
)

// memtable is the rows that are in the log and in no file yet. The shard's
// lock protects it; once sealed only its publication changes.
type memtable struct {
	tables []*memTable
	byName map[string]*memTable
	rows   int
	bytes  int64 // about what it takes
	times  model.TimeRange
	low    model.Version // of the rows
	high   model.Version
	ids    model.BatchSet // of the batches with rows
	since  time.Time      // when the first row came

	logFile wal.FileID // once sealed: the last log file with rows of it
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

func newMemtable() *memtable {
	return &memtable{
		byName: map[string]*memTable{},
		times:  model.TimeRange{Min: model.MaxTime, Max: model.MinTime},
	}
}

// empty reports whether no batch is in m; one without rows must be noted in the
// manifest, too, before the log goes.
func (m *memtable) empty() bool { return m.ids.Empty() }

// insert adds the rows of b; ids are those of b.Series. The marks that publish
// them are added to marks.
func (m *memtable) insert(b *model.Batch, ids []uint32, now time.Time, marks []mark) []mark {
	if m.rows == 0 {
		m.since = now
		m.low, m.high = b.Version, b.Version
	}
	if b.Version.Less(m.low) {
		m.low = b.Version
	}
	if m.high.Less(b.Version) {
		m.high = b.Version
	}
	m.ids.Add(b.ID)
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
			m.bytes += memTableBytes
		}
		m.bytes += int64(mt.append(t, ids, b.Version))
		m.rows += len(t.Times)
		m.times = m.times.Union(t.Range())
		marks = append(marks, mark{table: mt, rows: mt.rows})
	}
	return marks
}

func (t *memTable) append(from *model.Table, ids []uint32, v model.Version) (bytes int) {
	for lo := 0; lo < len(from.Times); {
		var last *slab
		if n := len(t.slabs); n > 0 {
			last = t.slabs[n-1]
		}
		if last == nil || last.room(from.Columns) == 0 {
			last = newSlab()
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
