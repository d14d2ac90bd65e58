package lineprotocol

import (
	"bytes"
	"math/rand/v2"

	"github.com/zeebo/xxh3"

	"github.com/varvedb/varve/model"
)

// memo is what a worker remembers between bodies: the series of raw keys, and
// the fields of measurements. It holds no text of keys but of those that are
// not written in canonical form, about 120 bytes for a series.
//
// A raw key is the bytes of measurement and tags as a client writes them. Raw
// keys are hashed under a seed of their own, drawn at start: what a client
// writes is not always the canonical key of what it means.
type memo struct {
	seed         uint64
	raws         []rawKey
	rawIndex     hashIndex
	series       []series
	seriesIndex  hashIndex
	measurements map[string]*measurement
	bytes        int // estimate of all of the above
}

// rawKey is one spelling of a series.
type rawKey struct {
	hash      xxh3.Uint128
	length    uint32
	series    uint32
	next      uint32 // the raw key that came after it last time
	canonical bool   // the spelling is the canonical key
}

// series is a series, however it is spelled.
type series struct {
	hash        model.SeriesHash
	key         []byte // canonical; nil where every raw key spells it
	measurement *measurement
	batch       uint32 // the batch that index is of
	index       uint32 // in model.Batch.Series
}

// measurement is the fields of a measurement, and its rows of the body that is
// being parsed.
type measurement struct {
	name   string
	fields map[string]*field
	shape  []*field // in the order of the last line
	table  table
}

// field is a field of a measurement, with columns for each type it has had.
type field struct {
	name string
	// prefix is name and "=" as a line writes it, or "" when this must not be
	// recognised by its bytes alone.
	prefix  string
	line    uint64 // the line that last had the field, to find repetitions
	columns [model.Boolean + 1]*column
}

const (
	rawKeyBytes      = 48 // with its share of the index
	seriesBytes      = 72
	fieldBytes       = 400
	measurementBytes = 500
)

func newMemo() memo {
	return memo{
		seed:         rand.Uint64(),
		measurements: make(map[string]*measurement),
	}
}

// measurement finds or adds a measurement.
func (m *memo) measurement(name []byte) *measurement {
	if found := m.measurements[string(name)]; found != nil {
		return found
	}
	added := &measurement{name: string(name), fields: make(map[string]*field)}
	m.measurements[added.name] = added
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
	return m.rawIndex.find(h.Lo, func(i uint32) bool { return m.raws[i].hash == h })
}

// addRaw remembers a spelling of a series.
func (m *memo) addRaw(h xxh3.Uint128, length int, of uint32, canonical bool) uint32 {
	i := uint32(len(m.raws))
	m.raws = append(m.raws, rawKey{hash: h, length: uint32(length), series: of, next: i + 1, canonical: canonical})
	m.rawIndex.add(h.Lo, i, func(i uint32) uint64 { return m.raws[i].hash.Lo })
	m.bytes += rawKeyBytes
	return i
}

// seriesOf finds or adds the series of a canonical key. keep is set when the
// text must be kept because it is not what the client wrote.
func (m *memo) seriesOf(key []byte, seed uint64, of *measurement, keep bool) uint32 {
	h := model.HashSeriesKey(key, seed)
	i, ok := m.seriesIndex.find(h.Lo, func(i uint32) bool { return m.series[i].hash == h })
	if !ok {
		i = uint32(len(m.series))
		m.series = append(m.series, series{hash: h, measurement: of})
		m.seriesIndex.add(h.Lo, i, func(i uint32) uint64 { return m.series[i].hash.Lo })
		m.bytes += seriesBytes
	}
	if s := &m.series[i]; keep && s.key == nil {
		s.key = bytes.Clone(key)
		m.bytes += len(key)
	}
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
