package exec

import (
	"context"
	"fmt"
	"slices"

	"github.com/varvedb/varve/internal/hll"
	"github.com/varvedb/varve/internal/sorting"
	"github.com/varvedb/varve/internal/wire"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/memory"
)

// maxCountBytes bounds the sets that one shard answers with. Parts keep the
// members of one request far below it; the names of groups may reach it.
const maxCountBytes = 256 << 20

// runCount answers a request that has Count set.
func runCount(ctx context.Context, src Source, q *ListRequest) (*List, error) {
	c := &counting{ctx: ctx, src: src, q: q, groups: map[string]*countedGroup{}, held: memory.FromContext(ctx).Account()}
	defer c.held.Close()
	if q.Count.Sketch {
		c.out.Sketch = new(hll.Sketch)
	}
	for _, m := range src.Measurements() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !mayHold(q.Where, m) {
			continue
		}
		if err := c.measurement(m); err != nil {
			return nil, err
		}
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	return &c.out, nil
}

// counting is a count while it is made.
type counting struct {
	ctx    context.Context
	src    Source
	q      *ListRequest
	groups map[string]*countedGroup // by measurement and tags, each after its length
	bytes  int                      // of the answer
	known  int                      // bytes of what was seen
	held   memory.Account
	text   []byte // used again
	out    List
}

type countedGroup struct {
	prefix string // its key in groups
	set    Set
	seen   map[model.SeriesHash]struct{} // of what may come several times
}

// group gives the group of a measurement and the values of the tags to group by.
func (c *counting) group(m string, tags model.Tags) *countedGroup {
	if c.q.Kind == ListMeasurements {
		m = ""
	}
	by := c.q.Count.GroupBy
	c.text = wire.AppendString(c.text[:0], m)
	for _, k := range by {
		c.text = wire.AppendString(c.text, tags.Get(k))
	}
	g := c.groups[string(c.text)]
	if g == nil {
		g = &countedGroup{prefix: string(c.text), set: Set{Measurement: m}}
		if len(by) > 0 {
			g.set.Tags = make([]string, len(by))
			for i, k := range by {
				g.set.Tags[i] = tags.Get(k)
			}
		}
		c.groups[g.prefix] = g
		c.bytes += setBytes + 2*len(g.prefix)
	}
	return g
}

// add notes one thing of a group. One that will be noted for many series says so,
// so that it is kept once.
func (c *counting) add(g *countedGroup, text string, often bool) {
	c.text = append(append(c.text[:0], g.prefix...), text...)
	hash := model.HashSeriesKey(c.text, 0)
	if often && !c.q.Count.Sketch && c.wants(hash) {
		if _, ok := g.seen[hash]; ok {
			return
		}
		if g.seen == nil {
			g.seen = map[model.SeriesHash]struct{}{}
		}
		g.seen[hash] = struct{}{}
		c.known += seenBytes
	}
	c.note(g, hash)
}

// seenBytes is about what a hash takes among those that were seen.
const seenBytes = 2 * memberBytes

// wants reports whether a hash is of the part that is asked for.
func (c *counting) wants(hash model.SeriesHash) bool {
	count := c.q.Count
	return count.Parts <= 1 || hash.Hi%uint64(count.Parts) == uint64(count.Part)
}

// note adds a hash to what is asked for.
func (c *counting) note(g *countedGroup, hash model.SeriesHash) {
	switch {
	case c.q.Count.Sketch:
		c.out.Sketch.Add(hash.Lo)
	case c.wants(hash):
		g.set.Members = append(g.set.Members, hash)
		c.bytes += memberBytes
	}
}

// measurement counts what one has.
func (c *counting) measurement(m string) error {
	q := c.q
	if len(q.Count.GroupBy) == 0 && q.Kind != ListSeries {
		// What is listed once is counted once.
		list := newListing(c.ctx, c.src, q)
		defer list.held.Close()
		g := c.group(m, nil)
		err := list.entries(m, func(e Entry) { c.add(g, counted(q.Kind, e), false) })
		if err != nil {
			return err
		}
		return c.bounded()
	}
	series, err := c.src.Series(m, q.Where)
	if err != nil {
		return err
	}
	if q.Kind == ListSeries && len(q.Count.GroupBy) == 0 && len(series) > 0 {
		g := c.group(m, nil)
		if !q.Count.Sketch {
			g.set.Members = slices.Grow(g.set.Members, len(series)/max(q.Count.Parts, 1))
		}
	}
	wanted := keysWanted(q.Keys)
	var fields []model.Field
	if q.Kind == ListFieldKeys {
		fields = c.src.Fields(m)
	}
	for len(series) > 0 {
		n := min(len(series), checkEvery)
		var hashes []model.SeriesHash
		if q.Kind == ListSeries {
			if hashes, err = c.src.Hashes(series[:n]); err != nil {
				return err
			}
		}
		err := eachSeries(c.ctx.Err, series[:n], func(id uint32) {
			var tags model.Tags
			if len(q.Count.GroupBy) > 0 || q.Kind == ListTagKeys || q.Kind == ListTagValues {
				tags = c.src.Tags(id)
			}
			g := c.group(m, tags)
			switch q.Kind {
			case ListSeries:
				c.note(g, hashes[0])
				hashes = hashes[1:]
			case ListMeasurements:
				c.add(g, m, true)
			case ListFieldKeys:
				for _, f := range fields {
					c.add(g, f.Name, true)
				}
			default:
				for _, t := range tags {
					if wanted(t.Key) {
						c.add(g, counted(q.Kind, Entry{Key: t.Key, Value: t.Value}), true)
					}
				}
			}
		})
		if err != nil {
			return err
		}
		if err := c.bounded(); err != nil {
			return err
		}
		series = series[n:]
	}
	return nil
}

// counted gives the text of an entry that makes it different from others.
func counted(kind ListKind, e Entry) string {
	switch kind {
	case ListMeasurements:
		return e.Measurement
	case ListTagValues:
		return e.Value
	}
	return e.Key
}

// bounded fails when the answer gets too large to be sent.
func (c *counting) bounded() error {
	if c.bytes <= maxCountBytes {
		return c.held.Set(c.bytes + c.known)
	}
	return &model.Error{
		Kind: model.ErrTooLarge,
		Text: fmt.Sprintf("the groups to count in take more than %d bytes: group by less", maxCountBytes),
	}
}

// finish puts what was counted in order.
func (c *counting) finish() error {
	for _, g := range c.groups {
		if len(g.set.Members) == 0 {
			continue
		}
		if err := sorting.Values(c.ctx, g.set.Members, model.SeriesHash.Compare); err != nil {
			return err
		}
		g.set.Members = slices.Compact(g.set.Members)
		c.out.Sets = append(c.out.Sets, g.set)
	}
	return sorting.Values(c.ctx, c.out.Sets, func(a, b Set) int { return a.CompareGroup(&b) })
}
