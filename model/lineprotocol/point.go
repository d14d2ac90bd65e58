package lineprotocol

import (
	"github.com/varvedb/varve/model"
)

// point is one decoded line. Its slices point into the line or into scratch
// memory of the decoder and are good until the next line.
type point struct {
	rawKey      []byte // measurement and tags as written
	canonical   bool   // rawKey is known to be the canonical key
	measurement []byte
	tags        []pair // sorted by key, keys distinct
	fields      []fieldValue
	time        int64
	timed       bool // else the line has no timestamp
	maxFields   int  // further ones are only counted, by more
	more        int
}

type pair struct {
	key, value []byte
}

type fieldValue struct {
	raw  []byte // the name as written
	name []byte
	typ  model.FieldType
	bits uint64
	text []byte // for model.String
}

// reset empties p and keeps its memory.
func (p *point) reset() {
	*p = point{tags: p.tags[:0], fields: p.fields[:0], maxFields: p.maxFields}
}

// addField adds a field, or counts it where there are as many as may be.
func (p *point) addField(f fieldValue) {
	if len(p.fields) == p.maxFields {
		p.more++
		return
	}
	p.fields = append(p.fields, f)
}

// forget is reset for a point that is not used for some time.
func (p *point) forget() {
	const maxIdle = 4096
	if cap(p.fields) > maxIdle || cap(p.tags) > maxIdle {
		p.fields, p.tags = nil, nil
	}
	clear(p.tags[:cap(p.tags)])
	clear(p.fields[:cap(p.fields)])
	p.reset()
}
