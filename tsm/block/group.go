package block

import (
	"math"

	"github.com/varvedb/varve/model"
)

// Group encodes the blocks of one field of one segment together, so that they
// share code tables. It is ready after Reset, keeps its memory from one Reset
// to the next, and is for one goroutine.
//
// The first blocks wait until there are enough values to choose a plan by;
// those after them become symbols at once, a byte a value, and then bits when
// all are there and codes can be made of how often each symbol occurs. Blocks
// that suit no plan wait in their turn, for another one, or are kept without a
// table.
type Group struct {
	enc    *Encoder
	typ    model.FieldType
	effort Effort

	items []item
	head  []byte // of each block what needs no code: all of a block without a table
	syms  []byte
	size  int // about the bytes of items that do not wait

	plans   []*plan
	foreign foreignTables

	dictionary dictionary

	waiting struct {
		items  []int // places in items
		values []uint64
		enough int // values to choose a plan by
	}

	numbers, residuals, low []uint64
	presence                []byte
	patched                 []patch

	blocks  []byte
	ends    []uint64
	tableOf []uint64
	tables  []byte
}

// item is a block that is not finished.
type item struct {
	plan        int // in plans; itemWhole: head is all of it; itemWaiting
	table       int // of foreign tables, from 1 on
	headStart   int
	headEnd     int
	symsStart   int
	symsEnd     int
	valuesStart int // of one that waits, in waiting.values
	valuesEnd   int
	forward     int // symbols of the first stream
}

const (
	itemWhole      = -1 // head is all of it
	itemWaiting    = -2
	itemDictionary = -3 // like itemWhole, of the dictionary's strings
)

const (
	// maxPlans bounds the tables that a Group makes of its own.
	maxPlans = 8
	// planValues is how many values wait for a plan, and fewPlanned how many
	// must at the end for a table to be worth the time.
	planValues = 2048
	fewHot     = 768
	fewCold    = 192
	// tableSize is about the bytes of a table.
	tableSize = 48
)

// Share makes g use the scratch memory of enc. The Groups of a segment, filled by
// one goroutine with one Effort, share it: a compressor of strings alone takes
// some megabytes, and a measurement may have thousands of fields. It comes
// before the first Reset.
func (g *Group) Share(enc *Encoder) { g.enc = enc }

// Reset empties g for blocks of a type.
func (g *Group) Reset(t model.FieldType, e Effort) {
	if g.enc == nil {
		g.enc = new(Encoder)
	}
	g.typ, g.effort = t, e
	g.items, g.head, g.syms, g.size = g.items[:0], g.head[:0], g.syms[:0], 0
	g.plans = g.plans[:0]
	g.foreign.reset()
	g.dictionary.reset()
	g.enc.SetEffort(e)
	g.waiting.items, g.waiting.values = g.waiting.items[:0], g.waiting.values[:0]
	g.waiting.enough = planValues
}

// Add adds a block of c's rows, of which at least one has a value. c is not
// kept.
func (g *Group) Add(c *model.Column) {
	checkRows(c.Len())
	if g.effort != Fast && g.typ == model.String {
		g.addTexts(c)
		return
	}
	if g.effort == Fast || g.typ == model.Boolean {
		start := len(g.head)
		g.head = g.enc.AppendColumn(g.head, c)
		g.whole(len(g.items), start)
		return
	}
	values := g.enc.gather(c)
	g.presence = appendBitmap(g.presence[:0], c.Present, c.Len())
	at := len(g.items)
	g.items = append(g.items, item{})
	if !g.place(at, values, true) {
		g.wait(at, values)
	}
}

// addTexts adds a block of strings, by the dictionary of the Group where that
// has most of them.
func (g *Group) addTexts(c *model.Column) {
	start := len(g.head)
	g.head = appendBitmap(g.head, c.Present, c.Len())
	g.enc.gatherTexts(c)
	codes, ok := g.dictionary.encode(g.numbers, &g.enc.texts)
	g.numbers = codes
	if !ok {
		g.head = g.enc.appendTexts(g.head, &g.enc.texts)
		g.whole(len(g.items), start)
		return
	}
	g.head = g.enc.appendInts(g.head, codes)
	g.whole(len(g.items), start)
	g.items[len(g.items)-1].plan = itemDictionary
}

// wait keeps the values of item at until a plan is chosen.
func (g *Group) wait(at int, values []uint64) {
	it := item{plan: itemWaiting, headStart: len(g.head), valuesStart: len(g.waiting.values)}
	g.head = append(g.head, g.presence...)
	it.headEnd = len(g.head)
	g.waiting.values = append(g.waiting.values, values...)
	it.valuesEnd = len(g.waiting.values)
	g.items[at] = it
	g.waiting.items = append(g.waiting.items, at)
	if len(g.waiting.values) >= g.waiting.enough {
		g.settle()
	}
}

// whole makes item at of what was added to head from start on.
func (g *Group) whole(at, start int) {
	it := item{plan: itemWhole, headStart: start, headEnd: len(g.head)}
	if at == len(g.items) {
		g.items = append(g.items, it)
	} else {
		g.items[at] = it
	}
	g.size += len(g.head) - start
}

// packed keeps values without a table, after g.presence.
func (g *Group) packed(at int, values []uint64) {
	start := len(g.head)
	g.head = append(g.head, g.presence...)
	if g.typ == model.Float {
		g.head = g.enc.appendFloats(g.head, values)
	} else {
		g.head = g.enc.appendInts(g.head, values)
	}
	g.whole(at, start)
}

// settle chooses a plan for the blocks that wait, if that saves enough, and
// puts each where it takes the fewest bytes.
func (g *Group) settle() {
	blocks := make([][]uint64, len(g.waiting.items))
	for i, at := range g.waiting.items {
		it := &g.items[at]
		blocks[i] = g.waiting.values[it.valuesStart:it.valuesEnd]
	}
	if p, ok := choosePlan(g.typ == model.Float, blocks); ok && g.saves(p, blocks) {
		g.plans = append(g.plans, p)
	} else {
		g.waiting.enough *= 2 // choosing takes time
	}
	g.release()
}

// saves reports whether blocks take less by plan p than by others or without a
// table, by more than the table does.
func (g *Group) saves(p *plan, blocks [][]uint64) bool {
	g.presence = append(g.presence[:0], bitsAll)
	others, with := 0, tableSize
	for _, values := range blocks {
		_, size := g.best(values, g.plans)
		size = min(size, g.packedSize(values))
		others += size
		_, coded := g.best(values, []*plan{p})
		with += min(size, coded)
	}
	return with < others-others/32
}

// release puts the blocks that wait where they take the fewest bytes.
func (g *Group) release() {
	for _, at := range g.waiting.items {
		it := g.items[at]
		g.presence = append(g.presence[:0], g.head[it.headStart:it.headEnd]...)
		g.place(at, g.waiting.values[it.valuesStart:it.valuesEnd], false)
	}
	g.waiting.items, g.waiting.values = g.waiting.items[:0], g.waiting.values[:0]
}

// place makes item at of values, after g.presence: by the plan that suits best
// or without a table. With mayWait set it gives false instead when another plan
// might be better.
func (g *Group) place(at int, values []uint64, mayWait bool) bool {
	mayWait = mayWait && len(g.plans) < maxPlans
	if len(g.plans) == 0 {
		if mayWait && !even(values) {
			return false
		}
		g.packed(at, values)
		return true
	}
	head, syms := len(g.head), len(g.syms)
	last := len(g.plans) - 1
	if it, size, ok := g.symbolise(g.plans[last], values); ok && g.plans[last].usual(size, len(values)) {
		g.accept(at, last, it, size)
		return true
	}
	g.head, g.syms = g.head[:head], g.syms[:syms]
	plan, size := g.best(values, g.plans)
	if plan >= 0 && g.plans[plan].usual(size, len(values)) {
		mayWait = false
	} else if g.packedSize(values) <= size {
		plan = -1
	}
	if mayWait && !even(values) {
		return false
	}
	if plan < 0 {
		g.packed(at, values)
		return true
	}
	it, size, _ := g.symbolise(g.plans[plan], values)
	g.accept(at, plan, it, size)
	return true
}

// best gives the plan of several by which values take the fewest bytes, -1 when
// none suits.
func (g *Group) best(values []uint64, plans []*plan) (plan, size int) {
	plan, size = -1, math.MaxInt
	head, syms := len(g.head), len(g.syms)
	for i, p := range plans {
		if _, n, ok := g.symbolise(p, values); ok && n < size {
			plan, size = i, n
		}
		g.head, g.syms = g.head[:head], g.syms[:syms]
	}
	return plan, size
}

// even reports whether values are constant, or of one step: no code is shorter
// than what is kept of them without a table.
func even(values []uint64) bool {
	if len(values) < 3 {
		return true
	}
	step := values[1] - values[0]
	for i, v := range values[2:] {
		if v-values[i+1] != step {
			return false
		}
	}
	return true
}

// accept makes item at of what symbolise added.
func (g *Group) accept(at, plan int, it item, size int) {
	it.plan = plan
	p := g.plans[plan]
	syms := g.syms[it.symsStart:it.symsEnd]
	if p.sparse {
		p.gaps.count(syms[:it.forward])
		syms = syms[it.forward:]
	}
	p.values.count(syms)
	g.items[at] = it
	g.size += size
}

// packedSize gives about the bytes of values without a table.
func (g *Group) packedSize(values []uint64) int {
	if g.typ == model.Float {
		exp, ok := exponent(values)
		if !ok {
			return 8 * len(values)
		}
		g.numbers, _ = numbersOf(kindDecimal+uint8(exp), g.numbers, values, nil)
		values = g.numbers
	}
	p := &g.enc.profile
	p.measure(values, false)
	best := math.MaxInt
	for i := range intCodecs {
		if size, ok := intCodecs[i].size(p); ok {
			best = min(best, size)
		}
	}
	return best + 1
}

// AddBlock adds a block of another Group of the same type as it is, with the
// table that it needs. It reports false, and adds nothing, when the Group has
// MaxTables tables already: then the block is to be decoded and added by Add.
func (g *Group) AddBlock(p []byte, from *Tables, table int) bool {
	number := 0
	if table != 0 {
		t, ok := from.get(table)
		if !ok {
			return false
		}
		if number, ok = g.foreign.add(t.raw); !ok {
			return false
		}
	}
	start := len(g.head)
	g.head = append(g.head, p...)
	g.items = append(g.items, item{plan: itemWhole, table: number, headStart: start, headEnd: len(g.head)})
	g.size += len(p)
	return true
}

// Len gives the number of blocks.
func (g *Group) Len() int { return len(g.items) }

// Size gives about the bytes that Finish would give.
func (g *Group) Size() int {
	return g.size + 2*len(g.waiting.values) + len(g.dictionary.entries.text)
}

// Finish gives the blocks one after the other, where each ends, the number of
// the table that each needs, 0 being none, and the tables for ReadTables. All
// are valid until Reset, which must come next.
func (g *Group) Finish() (blocks []byte, ends, tableOf []uint64, tables []byte) {
	g.settleLast()
	g.blocks, g.ends, g.tableOf = g.blocks[:0], g.ends[:0], g.tableOf[:0]
	raw := g.foreign.raw
	finished := make([]finishedPlan, len(g.plans))
	for i, p := range g.plans {
		finished[i].of(p)
		raw = append(raw, finished[i].raw)
	}
	if g.dictionary.blocks > 0 {
		raw = append(raw, g.dictionary.append(nil, g.enc))
	}
	for i := range g.items {
		it := &g.items[i]
		table := it.table
		g.blocks = append(g.blocks, g.head[it.headStart:it.headEnd]...)
		if it.plan >= 0 {
			f := &finished[it.plan]
			g.blocks = appendStreams(g.blocks, g.syms[it.symsStart:it.symsEnd], it.forward, f.forward, &f.values)
			table = len(g.foreign.raw) + it.plan + 1
		} else if it.plan == itemDictionary {
			table = len(raw)
		}
		g.ends = append(g.ends, uint64(len(g.blocks)))
		g.tableOf = append(g.tableOf, uint64(table))
	}
	g.tables = appendTables(g.tables[:0], raw)
	return g.blocks, g.ends, g.tableOf, g.tables
}

// settleLast decides on the blocks that wait when no more come.
func (g *Group) settleLast() {
	few := fewHot
	if g.effort == Cold {
		few = fewCold
	}
	if len(g.waiting.values) >= few {
		g.settle()
	} else {
		g.release()
	}
}

// finishedPlan is a plan with its codes.
type finishedPlan struct {
	raw          []byte
	values, gaps [symbols]uint32
	forward      *[symbols]uint32 // codes of the first stream
}

func (f *finishedPlan) of(p *plan) {
	values := codeOf(&p.values.counts)
	first, last := values.span()
	t := p.transform
	t.base += uint64(first) << t.low
	f.raw = t.append(nil)
	f.raw = values.append(f.raw, first, last)
	f.values = values.codes()
	f.forward = &f.values
	if p.sparse {
		gaps := codeOf(&p.gaps.counts)
		_, last := gaps.span()
		f.raw = gaps.append(f.raw, 0, last)
		f.gaps = gaps.codes()
		f.forward = &f.gaps
	}
}
