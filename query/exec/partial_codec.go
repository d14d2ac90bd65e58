package exec

import (
	"fmt"
	"slices"

	"github.com/varvedb/varve/internal/wire"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/plan"
)

const (
	partialFormat = 1 // the first byte

	partialRows   = 0 // the second byte
	partialGroups = 1
	partialReport = 2
)

// MaxPartialBytes bounds what a Partial takes that goes to another node, as
// MemoryBytes counts it: a few bytes can stand for many equal values, so the
// bound cannot be left to the length of the message. Who sends one checks.
const MaxPartialBytes = 256 << 20

// MemoryBytes gives the memory that p takes when decoded.
func (p *Partial) MemoryBytes() int64 {
	n := textBytes(p.Group) + groupsBytes(p.Groups)
	n += int64(len(p.Times)) * (8 + 4)
	for i := range p.Columns {
		c := &p.Columns[i]
		n += columnBytes + int64(len(c.Name)) + int64(c.Len())*(8+1) + int64(len(c.Text))
	}
	return n
}

// What parts of a message take in memory.
const (
	sliceBytes  = 24
	stringBytes = 16
	columnBytes = 128
)

func groupsBytes(groups [][]string) int64 {
	n := int64(0)
	for _, g := range groups {
		n += sliceBytes + textBytes(g)
	}
	return n
}

func textBytes(texts []string) int64 {
	n := int64(0)
	for _, s := range texts {
		n += stringBytes + int64(len(s))
	}
	return n
}

// AppendPartial adds p in binary form.
func AppendPartial(dst []byte, p *Partial) []byte {
	dst = append(dst, partialFormat)
	if p.Report != nil {
		return appendReport(append(dst, partialReport), p.Report)
	}
	if p.Groups != nil {
		dst = wire.AppendUvarint(append(dst, partialGroups), uint64(len(p.Groups)))
		for _, g := range p.Groups {
			dst = wire.AppendStrings(dst, g)
		}
		return dst
	}
	dst = wire.AppendStrings(append(dst, partialRows), p.Group)
	return model.AppendColumns(dst, p.Times, p.Columns)
}

// DecodePartial reads what AppendPartial wrote, in answer to f: it refuses what
// f does not ask for, so that what merges partials can go by f. What it gives
// shares nothing with b. Errors are of kind model.ErrCorrupt, or
// model.ErrNotSupported for the format of a later version.
func DecodePartial(b []byte, f *plan.Fragment) (*Partial, error) {
	r := wire.NewReader(b, MaxPartialBytes)
	r.Format(partialFormat)
	p := &Partial{}
	switch kind := r.Byte(); kind {
	case partialGroups:
		if f.GroupLimit == 0 {
			r.Fail("groups that were not asked for")
		}
		n := r.Count(1)
		if n > f.GroupLimit {
			r.Fail("%d groups, not %d", n, f.GroupLimit)
		}
		if r.Spend(n, sliceBytes) {
			p.Groups = make([][]string, n)
			for i := range p.Groups {
				if p.Groups[i] = decodeGroup(r, f); i > 0 && slices.Compare(p.Groups[i-1], p.Groups[i]) >= 0 {
					r.Fail("groups out of order")
				}
			}
		}
	case partialRows:
		p.Group = decodeGroup(r, f)
		times, columns, rest, err := model.DecodeColumns(r.Rest(), r.Budget())
		r.Skip(rest, err)
		p.Times, p.Columns = times, columns
		if r.Err() == nil {
			checkShape(r, p, f)
		}
	case partialReport:
		if f.Report == plan.NoReport {
			r.Fail("a report that was not asked for")
		}
		p.Report = decodeReport(r)
	default:
		r.Fail("kind %d", kind)
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("decode partial: %w", err)
	}
	return p, nil
}

func decodeGroup(r *wire.Reader, f *plan.Fragment) []string {
	g := r.Strings()
	if len(g) != len(f.GroupBy) {
		r.Fail("group of %d values, not %d", len(g), len(f.GroupBy))
	}
	return g
}

// checkShape refuses rows that are not those of f.
func checkShape(r *wire.Reader, p *Partial, f *plan.Fragment) {
	types := answerTypes(f)
	same := slices.EqualFunc(p.Columns, types, func(c model.Column, t model.FieldType) bool { return c.Type == t })
	switch {
	case len(p.Times) == 0:
		r.Fail("no rows")
	case !same:
		r.Fail("columns of other types than asked for")
	case !f.Raw() && !increase(p.Times):
		r.Fail("windows out of order")
	case !f.Raw() && f.Window.IsZero() && len(p.Times) != 1:
		r.Fail("%d windows, not one", len(p.Times))
	}
}

// answerTypes gives the types of the columns of f's partials.
func answerTypes(f *plan.Fragment) []model.FieldType {
	var types []model.FieldType
	for _, a := range f.Aggregates {
		types = append(types, a.Function.States(f.Inputs[a.Input].Type)...)
	}
	for _, c := range f.Columns {
		types = append(types, f.Inputs[c].Type)
	}
	return types
}

func increase(times []int64) bool {
	for i := 1; i < len(times); i++ {
		if times[i] <= times[i-1] {
			return false
		}
	}
	return true
}
