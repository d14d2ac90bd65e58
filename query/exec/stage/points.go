package stage

import (
	"bytes"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/function"
)

// Points is rows of one call of one group on their way through the call's
// stages, in the statement's order of time. A row without a value is a window
// that fill(null) left empty; most functions skip it.
type Points struct {
	Times []int64
	Value model.Column
	Aux   []model.Column // of the slots from AuxFrom on, for functions that select rows
}

func NewPoints(t model.FieldType, aux ...model.FieldType) Points {
	p := Points{Value: model.Column{Field: model.Field{Type: t}}}
	for _, t := range aux {
		p.Aux = append(p.Aux, model.Column{Field: model.Field{Type: t}})
	}
	return p
}

// Empty gives columns as those of p without rows.
func (p *Points) Empty() Points {
	e := Points{Value: model.Column{Field: p.Value.Field}, Aux: make([]model.Column, len(p.Aux))}
	for i := range p.Aux {
		e.Aux[i].Field = p.Aux[i].Field
	}
	return e
}

// AppendRow adds row i of o, which has columns of the same types, at a time.
func (p *Points) AppendRow(o *Points, i int, at int64) {
	p.Times = append(p.Times, at)
	p.Value.AppendRow(&o.Value, i)
	for c := range p.Aux {
		p.Aux[c].AppendRow(&o.Aux[c], i)
	}
}

// AppendAll adds all rows of o.
func (p *Points) AppendAll(o *Points) {
	if len(p.Times) == 0 {
		*p = *o
		return
	}
	for i, at := range o.Times {
		p.AppendRow(o, i, at)
	}
}

// OnlyValues leaves the rows that have a value.
func (p *Points) OnlyValues() {
	n := p.Value.Count()
	if n == len(p.Times) {
		p.Value.Present = nil
		return
	}
	rows := make([]int32, 0, n)
	times := make([]int64, 0, n)
	for i, at := range p.Times {
		if p.Value.Has(i) {
			rows = append(rows, int32(i))
			times = append(times, at)
		}
	}
	p.Times = times
	p.Value = p.Value.Pick(rows)
	p.Value.Present = nil
	for i := range p.Aux {
		p.Aux[i] = p.Aux[i].Pick(rows)
	}
}

// Reset drops all rows and keeps the memory.
func (p *Points) Reset() {
	p.Times = p.Times[:0]
	p.Value.Reset()
	for c := range p.Aux {
		p.Aux[c].Reset()
	}
}

// orderValues compares the values of two rows; false is less than true.
func (p *Points) orderValues(i, j int) int {
	if p.Value.Type == model.String {
		return bytes.Compare(p.Value.Bytes(i), p.Value.Bytes(j))
	}
	return function.Order(p.Value.Type, p.Value.Bits[i], p.Value.Bits[j])
}
