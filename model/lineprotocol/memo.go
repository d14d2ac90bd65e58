package lineprotocol

import (
	"bytes"
	"math/rand/v2"

	"github.com/zeebo/xxh3"

	"github.com/varvedb/varve/model"
)

// memo is what a worker remembers between bodies: the series of raw keys, and
// the fields of measurements. It holds no text of keys but of those that cannot
// be made canonical by putting their tags in order, about 100 bytes for a series.
//
// A raw key is the bytes of measurement and tags as a client writes them. Raw
// keys are hashed under a seed of their own, drawn at start: what a client
// writes is not always the canonical key of what it means.
type memo struct {
	seed        uint64
	raws        pages[rawKey]
	rawIndex    hashIndex
	series      pages[series]
	seriesIndex hashIndex
	orders      tagOrders
	kept        map[uint32][]byte // canonical keys of series, for spelling keptText

	measurements map[string]*measurement
	numbered     []*measurement // by series.measurement
	bytes        int            // estimate of all of the above
}

// rawKey is one spelling of a series. It has no pointers, nor has series: the
// garbage collector does not look at millions of them.
type rawKey struct {
	hash     xxh3.Uint128
	series   uint32
	next     uint32 // the raw key that came after it last time
	length   uint16
	spelling uint16 // how to make the canonical key of it
}

// Of rawKey.spelling. What is not below firstOrder is one of memo.orders.
const (
	canonicalText = 0 // it is the canonical key
	keptText      = 1 // the canonical key is in memo.kept
	firstOrder    = 2
)

// series is a series, however it is spelled.
type series struct {
	hash        model.SeriesHash
	measurement uint32 // in memo.numbered
	batch       uint32 // the batch that index is of
	index       uint32 // in model.Batch.Series
}

// measurement is the fields of a measurement, and its rows of the body that is
// being parsed.
type measurement struct {
	name   string
	number uint32
	fields map[string]*field
	last   *field // of the last line
	table  table
}

// field is a field of a measurement, with columns for each type it has had.
type field struct {
	name string
	// prefix is name and "=" as a line writes it, or "" when this must not be
	// recognised by its bytes alone.
	prefix  string
	next    *field // the one that came after it last time, in its line or the next
	line    uint64 // the line that last had the field, to find repetitions
	columns [model.Boolean + 1]*column
}

const (
	rawKeyBytes      = 48 // with its share of the index
	seriesBytes      = 48
	keptBytes        = 64 // beside the text
	fieldBytes       = 400
	measurementBytes = 500
)

func newMemo() memo {
	return memo{
		seed:         rand.Uint64(),
		kept:         make(map[uint32][]byte),
		measurements: make(map[string]*measurement),
	}
}

// measurement finds or adds a measurement.
func (m *memo) measurement(name []byte) *measurement {
	if found := m.measurements[string(name)]; found != nil {
		return found
	}
	added := &measurement{
		name: string(name), number: uint32(len(m.numbered)),
		fields: make(map[string]*field),
		last:   new(field), // of no line, before the first
	}
	m.measurements[added.name] = added
	m.numbered = append(m.numbered, added)
	m.bytes += measurementBytes + len(name)
	return added
}

// field finds or adds a field; raw is its name as written.
func (m *memo) field(of *measurement, name, raw []byte) *field {
	if found := of.fields[string(name)]; found != nil {
		return found
	}
	added := &field{name: string(name)}
	if plainFieldName(raw) {
		added.prefix = string(raw) + "="
	}
	of.fields[added.name] = added
	m.bytes += fieldBytes + 2*len(name)
	return added
}

// raw finds a raw key by its hash.
func (m *memo) raw(h xxh3.Uint128) (uint32, bool) {
	return m.rawIndex.find(h.Lo, func(i uint32) bool { return m.raws.at(i).hash == h })
}

// addRaw remembers a spelling of a series.
func (m *memo) addRaw(h xxh3.Uint128, length int, of uint32, spelling uint16) uint32 {
	i := m.raws.add(rawKey{hash: h, length: uint16(length), series: of, next: m.raws.n + 1, spelling: spelling})
	m.rawIndex.add(h.Lo, i, func(i uint32) uint64 { return m.raws.at(i).hash.Lo })
	m.bytes += rawKeyBytes
	return i
}

// seriesOf finds or adds the series of a canonical key.
func (m *memo) seriesOf(key []byte, seed uint64, of *measurement) uint32 {
	h := model.HashSeriesKey(key, seed)
	i, ok := m.seriesIndex.find(h.Lo, func(i uint32) bool { return m.series.at(i).hash == h })
	if !ok {
		i = m.series.add(series{hash: h, measurement: of.number})
		m.seriesIndex.add(h.Lo, i, func(i uint32) uint64 { return m.series.at(i).hash.Lo })
		m.bytes += seriesBytes
	}
	return i
}

// keep remembers the canonical key of a series.
func (m *memo) keep(of uint32, key []byte) {
	if m.kept[of] == nil {
		m.kept[of] = bytes.Clone(key)
		m.bytes += keptBytes + len(key)
	}
}

// pageLen is a compromise between the first page of a small server and the
// number of pages of a large one.
const pageLen = 1 << 10

// pages is a list that grows without being copied.
type pages[T any] struct {
	of []*[pageLen]T
	n  uint32
}

func (p *pages[T]) at(i uint32) *T { return &p.of[i/pageLen][i%pageLen] }

func (p *pages[T]) add(v T) uint32 {
	i := p.n
	if i%pageLen == 0 {
		p.of = append(p.of, new([pageLen]T))
	}
	*p.at(i) = v
	p.n++
	return i
}

// hashIndex is an open hash table of positions, at most half full. A slot holds
// a position and one, zero standing for an empty slot.
type hashIndex struct {
	slots []uint32
	used  int
}

func (x *hashIndex) find(h uint64, is func(uint32) bool) (uint32, bool) {
	if len(x.slots) == 0 {
		return 0, false
	}
	mask := uint64(len(x.slots) - 1)
	for at := h & mask; x.slots[at] != 0; at = (at + 1) & mask {
		if i := x.slots[at] - 1; is(i) {
			return i, true
		}
	}
	return 0, false
}

// touch reads where find will begin.
func (x *hashIndex) touch(h uint64) uint32 {
	if len(x.slots) == 0 {
		return 0
	}
	return x.slots[h&uint64(len(x.slots)-1)]
}

func (x *hashIndex) add(h uint64, i uint32, hash func(uint32) uint64) {
	if 2*x.used >= len(x.slots) {
		old := x.slots
		x.slots = make([]uint32, max(1024, 2*len(old)))
		for _, s := range old {
			if s != 0 {
				x.put(hash(s-1), s)
			}
		}
	}
	x.used++
	x.put(h, i+1)
}

func (x *hashIndex) put(h uint64, slot uint32) {
	mask := uint64(len(x.slots) - 1)
	at := h & mask
	for x.slots[at] != 0 {
		at = (at + 1) & mask
	}
	x.slots[at] = slot
}
