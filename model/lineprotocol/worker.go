package lineprotocol

import (
	"fmt"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/varvedb/varve/model"
)

// worker parses one body at a time.
type worker struct {
	cfg  Config
	pool *pool
	memo memo

	reference reference
	point     point
	tags      model.Tags
	key       []byte   // a canonical key
	cuts      []rawTag // of the key that is being learnt

	// Of the fast way: the values of the line, their strings, and the stamp
	// that marks the fields that the line has had.
	values []lineValue
	texts  []byte
	line   uint64

	// How much room the next body is given at once.
	seriesHint, keysHint int

	// Of the body that is being parsed.
	batch     uint32
	precision Precision
	now       int64
	join      bool
	active    []*measurement // those with rows, in order of their first
	series    []model.Series
	keys      [][]byte // hold the canonical keys of series; never moved
	keyBytes  int
	columns   int
	result    *Result
	refused   refused
	previous  uint32 // the raw key of the last line
	lastKey   []byte // its text, in body; nil: not known
	expected  uint32 // the raw key that followed it last time
	ahead     ahead
	lastTime  []byte // the timestamp of the last line as written, in body
	lastNanos int64
}

// lineValue is a value of a line that is not yet known to be good. For strings
// bits is where the text ends in worker.texts.
type lineValue struct {
	field *field
	typ   model.FieldType
	bits  uint64
}

func newWorker(cfg Config, p *pool) *worker {
	return &worker{
		cfg:       cfg,
		pool:      p,
		memo:      newMemo(),
		point:     point{maxFields: cfg.MaxFields},
		reference: reference{unsigned: cfg.Unsigned},
	}
}

// full reports whether w remembers more than it may between bodies.
func (w *worker) full() bool { return w.memo.bytes > w.cfg.MemoBytes/w.cfg.Workers }

// begin makes the worker ready for a body, whatever the last one left behind.
func (w *worker) begin(opt Options) {
	for _, m := range w.active {
		m.table.release()
	}
	w.batch++
	if w.batch == 0 {
		w.memo = newMemo()
		w.batch = 1
	}
	w.precision = max(opt.Precision, Nanosecond)
	w.now = opt.Now.Truncate(time.Duration(w.precision)).UnixNano()
	w.join = opt.Join
	w.active = w.active[:0]
	w.series = w.pool.takeSeries(w.seriesHint)
	w.keys = nil
	w.keyBytes = 0
	w.columns = 0
	w.result = &Result{pool: w.pool}
	w.refused = refused{limit: w.cfg.MaxErrorBytes}
	w.ahead.n, w.ahead.next = 0, 0
	w.lastTime, w.lastKey = nil, nil
}

func (w *worker) parse(body []byte, opt Options) (*Result, error) {
	w.begin(opt)
	for pos := 0; pos < len(body); {
		if body[pos] == '\n' {
			pos++
			continue
		}
		if n := w.fast(body[pos:]); n > 0 {
			pos += n
			w.result.Lines++
		} else {
			end := lineEnd(body, pos)
			w.slow(body[pos:end])
			pos = end + 1
		}
		if w.columns > w.cfg.MaxColumns {
			return nil, tooManyColumns(w.cfg.MaxColumns)
		}
		if w.result.Lines > w.cfg.MaxPoints {
			return nil, tooMuch("points", w.cfg.MaxPoints)
		}
	}
	return w.finish()
}

func tooManyColumns(limit int) error { return tooMuch("different fields", limit) }

func tooMuch(what string, limit int) error {
	return &model.Error{
		Kind: model.ErrTooLarge,
		Text: fmt.Sprintf("too many %s in one write, at most %d: send it in smaller parts", what, limit),
	}
}

// slow decodes a line of whatever form. It has no line end of its own.
func (w *worker) slow(line []byte) {
	start := skipBlanks(line, 0)
	if start == len(line) || line[start] == '#' {
		return
	}
	w.result.Lines++
	if line[len(line)-1] == '\n' { // where a quote was never closed
		line = line[:len(line)-1]
	}
	line = line[start:]
	if len(line) > maxLineBytes {
		w.refused.add(line, lineTooLong(len(line)))
		return
	}
	p := &w.point
	if !libraryReads(line) || !readByLibrary(line, w.precision, w.cfg.Unsigned, p) {
		if err := w.reference.decode(line, w.precision, p); err != nil {
			w.refused.add(line, err)
			return
		}
	}
	if w.result.Dropped.drop(p, w.cfg.MaxTags) {
		return
	}
	w.add(p)
}

// add stores a decoded point and remembers its series.
func (w *worker) add(p *point) {
	of := w.seriesOf(p)
	m := w.memo.numbered[of.measurement]

	// The later of two values of one field is the field's, whatever its type.
	w.line++
	w.values, w.texts = w.values[:0], w.texts[:0]
	for i := len(p.fields) - 1; i >= 0; i-- {
		v := &p.fields[i]
		f := w.memo.field(m, v.name, v.raw)
		if f.line == w.line {
			v.typ = 0
			continue
		}
		f.line = w.line
	}
	for i := range p.fields {
		v := &p.fields[i]
		if v.typ == 0 {
			continue
		}
		f := w.memo.field(m, v.name, v.raw)
		if f.prefix != "" {
			m.last.next, m.last = f, f
		}
		bits := v.bits
		if v.typ == model.String {
			w.texts = append(w.texts, v.text...)
			bits = uint64(len(w.texts))
		}
		w.values = append(w.values, lineValue{f, v.typ, bits})
	}
	t := p.time
	if !p.timed {
		t = w.now
	}
	if of.batch != w.batch {
		w.enter(of, w.key)
	}
	w.store(of, t)
}

// seriesOf finds or adds the series of a point, whose canonical key is in w.key
// then, and remembers how the point spells it.
func (w *worker) seriesOf(p *point) *series {
	if p.canonical {
		w.key = append(w.key[:0], p.rawKey...)
	} else {
		w.tags = w.tags[:0]
		for _, t := range p.tags {
			w.tags = append(w.tags, model.Tag{Key: text(t.key), Value: text(t.value)})
		}
		w.key = model.AppendSeriesKey(w.key[:0], text(p.measurement), w.tags)
	}
	of := w.memo.seriesOf(w.key, w.cfg.HashSeed, w.memo.measurement(p.measurement))
	if isPlainKey(p.rawKey) {
		h := xxh3.Hash128Seed(p.rawKey, w.memo.seed)
		raw, ok := w.memo.raw(h)
		if !ok {
			spelling := uint16(canonicalText)
			if string(w.key) != string(p.rawKey) {
				spelling = keptText
				w.memo.keep(of, w.key)
			}
			raw = w.memo.addRaw(h, len(p.rawKey), of, spelling)
		}
		w.follow(raw)
		w.lastKey = nil
	}
	return w.memo.series.at(of)
}

// canonical gives the canonical key of a raw key, whose text is written.
func (w *worker) canonical(key *rawKey, written []byte) []byte {
	switch key.spelling {
	case canonicalText:
		return written
	case keptText:
		return w.memo.kept[key.series]
	}
	w.key = appendOrdered(w.key[:0], written, w.memo.orders.of(key.spelling))
	return w.key
}

// follow notes that a line has the raw key, to predict the next one's.
func (w *worker) follow(raw uint32) {
	if raw == w.previous && w.lastKey != nil {
		return // several lines of one series: the next other one is predicted
	}
	if w.previous < w.memo.raws.n {
		w.memo.raws.at(w.previous).next = raw
	}
	w.previous = raw
	w.expected = w.memo.raws.at(raw).next
}

// enter makes a series one of the batch. key is its canonical key.
func (w *worker) enter(s *series, key []byte) {
	s.batch = w.batch
	s.index = uint32(len(w.series))
	w.series = append(w.series, model.Series{Hash: s.hash, Key: w.keep(key)})
}

// store adds a row of w.values to a series of the batch, or adds them to the
// last row.
func (w *worker) store(s *series, t int64) {
	m := w.memo.numbered[s.measurement]
	rows := &m.table
	if rows.batch != w.batch {
		w.open(m)
	}
	row := len(rows.times)
	if row > 0 && rows.series[row-1] == s.index && rows.times[row-1] == t && w.join && w.joins(row-1) {
		row--
		w.result.Joined = true
	} else {
		rows.series = append(rows.series, s.index)
		rows.times = append(rows.times, t)
	}
	start := 0
	for i := range w.values {
		v := &w.values[i]
		c := v.field.columns[v.typ]
		if c == nil || c.batch != w.batch {
			c = w.column(m, v)
		}
		if c.rows != nil || c.len() != row {
			c.row(row)
		}
		if v.typ == model.String {
			end := int(v.bits)
			c.text = append(c.text, w.texts[start:end]...)
			c.ends = append(c.ends, uint32(len(c.text)))
			start = end
			continue
		}
		c.bits = append(c.bits, v.bits)
	}
}

// joins reports whether no field of w.values, of whatever type, is in a row.
func (w *worker) joins(row int) bool {
	for i := range w.values {
		for _, c := range w.values[i].field.columns {
			if c != nil && c.batch == w.batch && c.has(row) {
				return false
			}
		}
	}
	return true
}

// open begins the table of a measurement.
func (w *worker) open(m *measurement) {
	t := &m.table
	t.batch = w.batch
	t.series = w.pool.takeRows(t.hint)
	t.times = w.pool.takeTimes(t.hint)
	t.columns = t.columns[:0]
	w.active = append(w.active, m)
}

// column begins the column of a value's field and type.
func (w *worker) column(m *measurement, v *lineValue) *column {
	c := v.field.columns[v.typ]
	if c == nil {
		c = &column{field: model.Field{Name: v.field.name, Type: v.typ}}
		v.field.columns[v.typ] = c
	}
	c.batch = w.batch
	if v.typ == model.String {
		c.ends = w.pool.takeRows(m.table.hint)
		c.text = w.pool.takeText(c.hint)
	} else {
		c.bits = w.pool.takeWords(m.table.hint)
	}
	m.table.columns = append(m.table.columns, c)
	w.columns++
	return c
}

// keep copies a key to memory that goes with the batch.
func (w *worker) keep(key []byte) []byte {
	w.keyBytes += len(key)
	last := len(w.keys) - 1
	if last < 0 || cap(w.keys[last])-len(w.keys[last]) < len(key) {
		size := w.keysHint
		if last >= 0 {
			size = min(64<<10, 2*cap(w.keys[last]))
		}
		w.keys = append(w.keys, w.pool.takeText(max(len(key), size, minPooled)))
		last++
	}
	to := &w.keys[last]
	start := len(*to)
	*to = append(*to, key...)
	return (*to)[start:len(*to):len(*to)]
}

// finish lays out the rows of the body.
func (w *worker) finish() (*Result, error) {
	b := &model.Batch{Series: w.series, Tables: make([]model.Table, 0, len(w.active))}
	// Rows with few of many fields make more columns than there are fields.
	room := 2 * w.cfg.MaxColumns
	for _, m := range w.active {
		m.table.hint = min(len(m.table.times), maxHint)
		tables, columns, ok := m.table.layout(m.name, b.Tables, room, w.pool)
		if !ok {
			return nil, tooManyColumns(w.cfg.MaxColumns)
		}
		b.Tables = tables
		room -= columns
		m.table.release()
	}
	w.active = w.active[:0]
	r := w.result
	r.Batch, r.keys = b, w.keys
	r.Err = w.refused.err()
	r.Malformed, r.Reasons = w.refused.lines, w.refused.kinds
	w.seriesHint = min(len(w.series), maxHint)
	w.keysHint = min(w.keyBytes, maxIdleBytes)
	w.forget()
	return r, nil
}

// maxIdleBytes bounds each buffer that a worker keeps between bodies.
const maxIdleBytes = 1 << 20

// forget lets go of the body, of the result, and of buffers that only a rare
// body needs.
func (w *worker) forget() {
	w.result, w.series, w.keys, w.lastTime, w.lastKey = nil, nil, nil, nil, nil
	w.refused = refused{}
	w.point.forget()
	clear(w.tags[:cap(w.tags)])
	if cap(w.texts) > maxIdleBytes {
		w.texts = nil
	}
	if cap(w.reference.scratch) > maxIdleBytes {
		w.reference.scratch = nil
	}
}
