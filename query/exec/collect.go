package exec

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/varvedb/varve/internal/sorting"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec/stage"
	"github.com/varvedb/varve/query/function"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// collect packs the values of the rows from lo up to hi: for each the time and
// the bits in 8 bytes each, or for a text its length and itself.
func (c *cells) collect(slot int, times []int64, col *model.Column, lo, hi int) {
	list := c.list[slot]
	before := len(list)
	for i := lo; i < hi; i++ {
		if !col.Has(i) {
			continue
		}
		c.n[slot]++
		list = binary.LittleEndian.AppendUint64(list, uint64(times[i]))
		if c.t == model.String {
			text := col.Bytes(i)
			list = binary.AppendUvarint(list, uint64(len(text)))
			list = append(list, text...)
		} else {
			list = binary.LittleEndian.AppendUint64(list, col.Bits[i])
		}
	}
	c.list[slot] = list
	c.listBytes += len(list) - before
}

// collected is a value with its time.
type collected struct {
	at   int64
	bits uint64
	text string
}

// What a collected value takes: packed, at least, and unpacked beside its text.
const (
	packedBytes    = 8 + 1
	collectedBytes = 32
)

// unpack reads what collect packed. held counts the most that it was for.
func (c *cells) unpack(slot int, held *memory.Account) ([]collected, error) {
	list := c.list[slot]
	n := len(list) / packedBytes
	if c.t != model.String {
		n = len(list) / 16
	} else if c.n[slot] < int64(n) {
		n = int(max(c.n[slot], 0))
	}
	if err := held.Set(max(held.Held(), n*collectedBytes+len(list))); err != nil {
		return nil, err
	}
	out := make([]collected, 0, n)
	for len(list) > 0 {
		if len(list) < 9 {
			return nil, errPacked
		}
		v := collected{at: int64(binary.LittleEndian.Uint64(list))}
		list = list[8:]
		if c.t == model.String {
			n, used := binary.Uvarint(list)
			if used <= 0 || n > uint64(len(list)-used) {
				return nil, errPacked
			}
			v.text = string(list[used : used+int(n)])
			list = list[used+int(n):]
		} else {
			if len(list) < 8 {
				return nil, errPacked
			}
			v.bits = binary.LittleEndian.Uint64(list)
			list = list[8:]
		}
		out = append(out, v)
	}
	return out, nil
}

var errPacked = fmt.Errorf("merge partial: packed values: %w", model.ErrCorrupt)

// orderValues compares values, not their times.
func (c *cells) orderValues(x, y collected) int {
	if c.t == model.String {
		return cmp.Compare(x.text, y.text)
	}
	return c.order(x.bits, y.bits)
}

func (c *cells) orderValuesAndTimes(x, y collected) int {
	return cmp.Or(c.orderValues(x, y), orderTimes(x, y))
}

func orderTimes(x, y collected) int { return cmp.Compare(x.at, y.at) }

// settle computes the results of the functions that collect values. One that
// has no result, such as a percentile of too few values, leaves a slot empty.
func (g *grouper) settle(m *merged) error {
	held := g.budget.Account()
	defer held.Close()
	for i, c := range m.cells {
		if !c.f.Collects() || c.f == function.Distinct {
			continue
		}
		slots := len(c.n)
		c.v, c.at, c.text = make([]uint64, slots), make([]int64, slots), make([]string, slots)
		for s := range slots {
			values, err := c.unpack(s, &held)
			if err != nil {
				return err
			}
			c.list[s] = nil
			if len(values) == 0 {
				c.n[s] = 0
				continue
			}
			if err := c.settleSlot(g.ctx, s, values, m.scan.Aggregates[i].Argument); err != nil {
				return err
			}
		}
		c.listBytes = 0
	}
	return nil
}

func (c *cells) settleSlot(ctx context.Context, slot int, values []collected, argument float64) error {
	var (
		v   collected
		err error
	)
	switch c.f {
	case function.CountDistinct:
		err = sorting.Values(ctx, values, c.orderValuesAndTimes)
		v.bits = uint64(len(c.compact(values)))
	case function.Median:
		middle := len(values) / 2
		if err = sorting.Place(ctx, values, middle, c.orderValues); err == nil && middle > 0 && len(values)%2 == 0 {
			err = sorting.Place(ctx, values[:middle], middle-1, c.orderValues)
		}
		v.bits = math.Float64bits(c.median(values))
	case function.Mode:
		err = sorting.Values(ctx, values, c.orderValuesAndTimes)
		v = c.mode(values)
	case function.Percentile:
		i := int(math.Floor(float64(len(values))*argument/100+0.5)) - 1
		if i < 0 || i >= len(values) {
			c.n[slot] = 0
			return nil
		}
		err = sorting.Place(ctx, values, i, c.orderValuesAndTimes)
		v = values[i]
	}
	if err != nil {
		return err
	}
	c.v[slot], c.at[slot], c.text[slot] = v.bits, v.at, v.text
	return nil
}

// compact leaves the first of each value of sorted ones.
func (c *cells) compact(sorted []collected) []collected {
	return slices.CompactFunc(sorted, func(x, y collected) bool { return c.orderValues(x, y) == 0 })
}

// distinct gives the first of each value, in order of time, then value.
func (c *cells) distinct(ctx context.Context, values []collected) ([]collected, error) {
	if err := sorting.Values(ctx, values, c.orderValuesAndTimes); err != nil {
		return nil, err
	}
	values = c.compact(values)
	err := sorting.Values(ctx, values, func(x, y collected) int { return cmp.Or(orderTimes(x, y), c.orderValues(x, y)) })
	return values, err
}

// median gives the value in the middle, or half-way between the two there, of
// values among which those are where sorting puts them.
func (c *cells) median(values []collected) float64 {
	n := len(values)
	number := func(i int) float64 {
		switch bits := values[i].bits; c.t {
		case model.Float:
			return math.Float64frombits(bits)
		case model.Integer:
			return float64(int64(bits))
		default:
			return float64(bits)
		}
	}
	if n%2 == 1 {
		return number(n / 2)
	}
	low, high := number(n/2-1), number(n/2)
	return low + (high-low)/2
}

// mode gives the sorted value that comes most often, and of booleans that come as
// often true. Of other values that come as often, InfluxDB takes the least when
// all come once; otherwise a greater one that begins before the last of the
// best so far. That is kept here, with values of one kind in order of time.
func (c *cells) mode(values []collected) collected {
	var best collected // with the time of its last
	most := 0
	for lo := 0; lo < len(values); {
		hi := lo + 1
		for hi < len(values) && c.orderValues(values[lo], values[hi]) == 0 {
			hi++
		}
		n := hi - lo
		tie := n == most && (c.t == model.Boolean || n > 1 && values[lo].at <= best.at)
		if n > most || tie {
			best, most = values[hi-1], n
		}
		lo = hi
	}
	return best
}

// writeDistinct writes the distinct values of each window; it has no fill.
func (g *grouper) writeDistinct(m *merged, w *seriesWriter) error {
	next := g.distinctPoints(m, m.cells[0])
	for !w.full {
		p, err := next()
		if err != nil || len(p.Times) == 0 {
			return err
		}
		if err := w.write(p.Times, []model.Column{p.Value}); err != nil {
			return err
		}
	}
	return nil
}

// distinctPoints gives the distinct values of each window.
func (g *grouper) distinctPoints(m *merged, c *cells) source {
	order := m.order
	return func() (stage.Points, error) {
		held := g.budget.Account()
		defer held.Close()
		p := stage.NewPoints(c.t)
		for ; len(order) > 0 && len(p.Times) < outputRows; order = order[1:] {
			values, err := c.unpack(int(order[0]), &held)
			if err != nil {
				return stage.Points{}, err
			}
			at := plan.Label(m.windows.starts[order[0]])
			if g.b.Window.IsZero() {
				at = plan.Label(g.b.Range.Min)
			}
			if values, err = c.distinct(g.ctx, values); err != nil {
				return stage.Points{}, err
			}
			for _, v := range values {
				p.Times = append(p.Times, at)
				if c.t == model.String {
					p.Value.AppendText([]byte(v.text))
				} else {
					p.Value.AppendBits(v.bits)
				}
			}
		}
		return p, g.ctx.Err()
	}
}
