package exec

import (
	"cmp"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// Open gives the shards' streams of a fragment, in its order of time.
type Open func(f *plan.Fragment) ([]Stream, error)

// Finish merges what the shards answer to the fragments of b, and hands out the
// result, series by series. The streams of a measurement are opened when its
// turn has come, and closed before the next one's: a statement may be about
// thousands of measurements in hundreds of shards.
//
// What it holds is counted by the budget of ctx, or bounded by b.MaxBytes where
// that has none. Finish stops soon after ctx ends, and when emit gives an error.
func Finish(ctx context.Context, b *plan.Bound, open Open, emit func(*Rows) error) error {
	ctx, budget := memory.Bounded(ctx, int64(b.MaxBytes))
	f := &finisher{b: b, open: open, emit: emit, budget: budget}
	f.ctx, f.cancel = context.WithCancel(ctx)
	defer f.cancel()
	for _, fragments := range byMeasurement(b) {
		if err := f.fragments(fragments); err != nil {
			return err
		}
	}
	return nil
}

// scanned is a fragment and the index of its scan.
type scanned struct {
	*plan.Fragment
	scan int
}

// byMeasurement gives the fragments of each measurement, in the order of the
// result. There are several where it is in several databases or policies, is
// named twice, or has several scans.
func byMeasurement(b *plan.Bound) [][]scanned {
	var fragments []scanned
	for i := range b.Scans {
		for _, f := range b.Scans[i].Fragments {
			fragments = append(fragments, scanned{f, i})
		}
	}
	slices.SortStableFunc(fragments, func(x, y scanned) int { return strings.Compare(x.Measurement, y.Measurement) })
	var all [][]scanned
	for i := 0; i < len(fragments); {
		n := i + 1
		for n < len(fragments) && fragments[n].Measurement == fragments[i].Measurement {
			n++
		}
		all = append(all, fragments[i:n])
		i = n
	}
	if b.Descending {
		slices.Reverse(all)
	}
	return all
}

// fragments makes the series of one measurement.
func (f *finisher) fragments(fragments []scanned) (err error) {
	var heads []*head
	defer func() {
		for _, h := range heads {
			err = errors.Join(err, h.stream.Close())
		}
	}()
	for i, fragment := range fragments {
		streams, err := f.streams(fragment.Fragment)
		if err != nil {
			return err
		}
		for _, s := range streams {
			heads = append(heads, &head{stream: s, scan: fragment.scan, fragment: i})
		}
	}
	return f.measurement(fragments[0].Measurement, heads)
}

// streams gives the streams of a fragment: those of its shards, or that of the
// subquery that it reads.
func (f *finisher) streams(fragment *plan.Fragment) ([]Stream, error) {
	if fragment.Inner != nil {
		return []Stream{nested(fragment, f.open)}, nil
	}
	return f.open(fragment)
}

// finisher is one run of Finish.
type finisher struct {
	ctx    context.Context
	cancel context.CancelFunc
	b      *plan.Bound
	open   Open
	emit   func(*Rows) error

	budget *memory.Budget
	inputs []vector // of the rows that are computed
}

// head is a stream and its next partial.
type head struct {
	stream   Stream
	scan     int // index of its scan
	fragment int // index of its fragment among the measurement's
	opened   bool
	part     *Partial // nil at the end
	row      int      // the next one of part, for raw rows
}

// advance reads the next partial.
func (h *head) advance(ctx context.Context) error {
	h.opened, h.row = true, 0
	part, err := h.stream.Next(ctx)
	if errors.Is(err, io.EOF) {
		h.part = nil
		return nil
	}
	h.part = part
	return err
}

// measurement makes the series of one measurement.
func (f *finisher) measurement(name string, heads []*head) error {
	slices.SortStableFunc(heads, func(x, y *head) int {
		if f.b.Descending {
			x, y = y, x
		}
		return compare(x.stream.Range().Min, y.stream.Range().Min)
	})
	g := &grouper{finisher: f, name: name, apart: apart(heads)}
	if len(f.b.GroupBy) == 0 && f.b.GroupLimit == 0 && f.b.GroupOffset == 0 {
		return g.onlyGroup(heads)
	}
	if err := f.openAll(heads); err != nil {
		return err
	}
	held := f.budget.Account()
	defer held.Close()
	allowed, err := g.allowedGroups(heads, &held)
	if err != nil {
		return err
	}
	for {
		key, members := g.nextGroup(heads)
		if members == nil {
			return nil
		}
		wanted := allowed == nil
		if !wanted {
			_, wanted = slices.BinarySearchFunc(allowed, key, slices.Compare)
		}
		if wanted {
			err = g.group(key, members, nil)
		} else {
			err = skipGroup(f.ctx, key, members)
		}
		if err != nil || len(f.b.GroupBy) == 0 {
			return err // there is but one group
		}
	}
}

// onlyGroup makes the series of a statement without groups: of raw rows, later
// shards are only read when it is their turn.
func (g *grouper) onlyGroup(heads []*head) error {
	var members, waiting []*head
	for _, h := range heads {
		if g.b.Scans[h.scan].Raw() {
			waiting = append(waiting, h)
		} else {
			members = append(members, h)
		}
	}
	if err := g.openAll(members); err != nil {
		return err
	}
	members = slices.DeleteFunc(members, func(h *head) bool { return h.part == nil })
	if len(members) == 0 && len(waiting) == 0 {
		return nil
	}
	return g.group(nil, members, waiting)
}

// group makes the series of a group. members are the streams that have it now;
// waiting are raw ones that were not read yet, in order of time, and have no
// other group.
func (g *grouper) group(key []string, members, waiting []*head) error {
	switch {
	case g.b.Raw():
		return g.rawGroup(key, members, waiting)
	case g.b.Carried > 0:
		return g.splitGroup(key, members, waiting)
	case g.b.Joined():
		return g.joinGroup(key, members, waiting)
	}
	return g.aggregateGroup(key, members)
}

// openAll reads the first partial of every stream, several at a time: the
// shards' work is behind it. One that fails ends the work of all.
func (f *finisher) openAll(heads []*head) error {
	var (
		slots  = make(chan struct{}, 2*runtime.GOMAXPROCS(0))
		failed atomic.Bool
		once   sync.Once
		first  error // the others are of streams that were cancelled because of it
		wg     sync.WaitGroup
	)
	for _, h := range heads {
		slots <- struct{}{}
		if failed.Load() {
			break // the answer is an error: what has not begun need not
		}
		wg.Go(func() {
			if err := h.advance(f.ctx); err != nil {
				once.Do(func() { first = err })
				failed.Store(true)
				f.cancel()
			}
			<-slots
		})
	}
	wg.Wait()
	return first
}

// grouper makes the series of one measurement.
type grouper struct {
	*finisher
	name  string
	kept  *merged // of the group before: its memory is used again
	apart bool    // no two streams have rows of one time
}

// apart reports whether the times of streams do not overlap.
func apart(heads []*head) bool {
	ranges := make([]model.TimeRange, len(heads))
	for i, h := range heads {
		ranges[i] = h.stream.Range()
	}
	slices.SortFunc(ranges, func(x, y model.TimeRange) int { return cmp.Compare(x.Min, y.Min) })
	for i := range ranges {
		if i > 0 && ranges[i].Min <= ranges[i-1].Max {
			return false
		}
	}
	return true
}

// allowedGroups gives the groups within SLIMIT and SOFFSET, sorted and counted by
// held; nil for all. They are the first ones of all groups that match, also of
// those without rows, like in InfluxDB, and always in ascending order.
func (g *grouper) allowedGroups(heads []*head, held *memory.Account) ([][]string, error) {
	if g.b.GroupLimit == 0 && g.b.GroupOffset == 0 {
		return nil, nil
	}
	if g.b.GroupLimit == 0 {
		return [][]string{}, nil // SOFFSET alone: InfluxDB gives nothing
	}
	var all [][]string
	for _, h := range heads {
		if h.part == nil {
			continue
		}
		all = mergeSorted(all, h.part.Groups, func(a, b *[]string) int { return slices.Compare(*a, *b) }, func(*[]string, *[]string) {})
		lo := min(g.b.GroupOffset, len(all))
		all = all[:lo+min(g.b.GroupLimit, len(all)-lo)]
		if err := held.Set(int(groupsBytes(all))); err != nil {
			return nil, err
		}
		if err := h.advance(g.ctx); err != nil {
			return nil, err
		}
	}
	return append([][]string{}, all[min(g.b.GroupOffset, len(all)):]...), nil
}

// nextGroup gives the next group and the streams that have it.
func (g *grouper) nextGroup(heads []*head) (key []string, members []*head) {
	for _, h := range heads {
		if h.part == nil {
			continue
		}
		order := -1
		if members != nil {
			order = slices.Compare(h.part.Group, key)
			if g.b.Descending {
				order = -order
			}
		}
		switch {
		case order < 0:
			key, members = h.part.Group, append(members[:0], h)
		case order == 0:
			members = append(members, h)
		}
	}
	return key, members
}

// skipGroup reads over a group.
func skipGroup(ctx context.Context, key []string, members []*head) error {
	for _, h := range members {
		for h.part != nil && slices.Equal(h.part.Group, key) {
			if err := h.advance(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// series starts a series of the result.
func (g *grouper) series(key []string) *seriesWriter {
	w := &seriesWriter{finisher: g.finisher, name: g.name, skip: g.b.Offset, limit: g.b.Limit}
	w.hasTags = len(g.b.GroupBy) > 0
	w.tags = make(model.Tags, 0, len(g.b.GroupBy))
	for i, k := range g.b.GroupBy {
		tag := model.Tag{Key: k}
		if i < len(key) {
			tag.Value = key[i]
		}
		w.tags = append(w.tags, tag)
	}
	if g.b.Fill == plan.FillPrevious {
		w.last = make([]model.Column, len(g.b.Slots))
	}
	return w
}
