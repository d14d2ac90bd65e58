package exec

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/varvedb/varve/internal/sorting"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/memory"
)

// RunList answers q at a shard. It stops soon after ctx ends and does not
// close src. With a limit it holds little more than what it lets through; what
// it holds is counted by the budget of ctx.
func RunList(ctx context.Context, src Source, q *ListRequest) (*List, error) {
	if q.Kind < ListMeasurements || q.Kind > ListSeries {
		return nil, fmt.Errorf("list: kind %d: %w", q.Kind, model.ErrInvalid)
	}
	if q.Count != nil {
		return runCount(ctx, src, q)
	}
	l := newListing(ctx, src, q)
	defer l.held.Close()
	for _, m := range src.Measurements() {
		if !mayHold(q.Where, m) {
			continue
		}
		if err := l.measurement(m); err != nil {
			return nil, err
		}
		if q.Limit > 0 && !q.LimitEach && len(l.out.Entries) >= q.Limit {
			break
		}
	}
	return &l.out, nil
}

// mayHold reports whether p can be true of a series of the measurement.
func mayHold(p *model.Predicate, measurement string) bool {
	if p == nil {
		return true
	}
	switch p.Op {
	case model.And:
		return mayHold(p.Left, measurement) && mayHold(p.Right, measurement)
	case model.Or:
		return mayHold(p.Left, measurement) || mayHold(p.Right, measurement)
	case model.Nothing:
		return false
	}
	return p.Op == model.Everything || p.Key != model.MeasurementKey || p.HoldsValue(measurement)
}

// aboutTags reports whether p says anything about tags.
func aboutTags(p *model.Predicate) bool {
	if p == nil {
		return false
	}
	switch p.Op {
	case model.And, model.Or:
		return aboutTags(p.Left) || aboutTags(p.Right)
	case model.Everything, model.Nothing:
		return false
	}
	return p.Key != model.MeasurementKey
}

// listing is a list while it is made.
type listing struct {
	ctx context.Context
	src Source
	q   *ListRequest
	out List // of the measurements so far, sorted and cut

	held    memory.Account
	counted int // entries of out that held counts, or that settle has cut
}

func newListing(ctx context.Context, src Source, q *ListRequest) *listing {
	return &listing{ctx: ctx, src: src, q: q, held: memory.FromContext(ctx).Account()}
}

// check is called now and then while entries are added.
func (l *listing) check() error {
	if n := len(l.out.Entries); n > l.counted {
		added := List{Entries: l.out.Entries[l.counted:]}
		if err := l.held.Add(added.Bytes()); err != nil {
			return err
		}
		l.counted = n
	}
	return l.ctx.Err()
}

// measurement adds the entries of one.
func (l *listing) measurement(m string) error {
	if err := l.check(); err != nil {
		return err
	}
	from := len(l.out.Entries)
	room := l.room(from)
	full := false // then the entries that the limit lets through so far are the first
	err := l.entries(m, func(e Entry) {
		if full && e.Compare(&l.out.Entries[from+room-1]) > 0 {
			return
		}
		l.out.Entries = append(l.out.Entries, e)
		if room > 0 && len(l.out.Entries)-from >= 2*room+checkEvery {
			l.settle(from)
			full = len(l.out.Entries)-from == room
		}
	})
	l.settle(from)
	return cmp.Or(err, l.ctx.Err())
}

// room gives how many entries from one on the limit lets through, 0 for all.
func (l *listing) room(from int) int {
	switch {
	case l.q.Limit <= 0:
		return 0
	case l.q.LimitEach:
		return l.q.Limit
	}
	return l.q.Limit - from
}

// settle sorts and cuts the entries of the last measurement.
func (l *listing) settle(from int) {
	last := l.out.Entries[from:]
	if !slices.IsSortedFunc(last, func(a, b Entry) int { return a.Compare(&b) }) {
		// What calls settle asks for the context's end next.
		_ = sorting.Elements(l.ctx, len(last),
			func(i, j int) bool { return last[i].Compare(&last[j]) < 0 },
			func(i, j int) { last[i], last[j] = last[j], last[i] })
	}
	last = slices.Compact(last)
	if room := l.room(from); room > 0 && len(last) > room {
		clear(last[room:])
		last = last[:room]
	}
	l.out.Entries = l.out.Entries[:from+len(last)]
}

// entries gives those of a measurement in any order, some maybe several times.
func (l *listing) entries(m string, add func(Entry)) error {
	q, src := l.q, l.src
	all := !aboutTags(q.Where) && q.Within == nil // every series counts
	switch {
	case all && q.Kind == ListMeasurements:
		add(Entry{Measurement: m})
		return nil
	case all && q.Kind == ListFieldKeys:
		for _, f := range src.Fields(m) {
			add(Entry{Measurement: m, Key: f.Name, Type: f.Type})
		}
		return nil
	case all && (q.Kind == ListTagKeys || q.Kind == ListTagValues):
		return l.allTags(m, add)
	}
	series, err := src.Series(m, q.Where)
	if err != nil || len(series) == 0 {
		return err
	}
	if q.Kind == ListFieldKeys {
		fields, err := fieldsWithin(l.ctx, src, m, series, q.Within)
		for _, f := range fields {
			add(Entry{Measurement: m, Key: f.Name, Type: f.Type})
		}
		return err
	}
	once := q.Kind == ListMeasurements // one series is enough
	if series, err = seriesWithin(l.ctx, src, m, series, q.Within, once); err != nil {
		return err
	}
	switch q.Kind {
	case ListMeasurements:
		if len(series) > 0 {
			add(Entry{Measurement: m})
		}
		return nil
	case ListTagKeys:
		if q.Within == nil {
			return l.tagKeysOf(m, add)
		}
	case ListSeries:
		if q.Limit == 0 {
			l.out.Entries = slices.Grow(l.out.Entries, len(series))
		}
		return eachSeries(l.check, series, func(id uint32) {
			add(Entry{Measurement: m, Key: string(src.Key(id))})
		})
	}
	return l.tagsOf(m, series, add)
}

// allTags gives the tags of all series of a measurement, from what the index
// has for each key: no series is looked at.
func (l *listing) allTags(m string, add func(Entry)) error {
	for _, key := range l.src.TagKeys(m) {
		if !keyHolds(l.q.Keys, key) {
			continue
		}
		if l.q.Kind == ListTagKeys {
			add(Entry{Measurement: m, Key: key})
			continue
		}
		if err := l.check(); err != nil {
			return err
		}
		values, err := l.src.TagValues(l.ctx, m, key)
		if err != nil {
			return err
		}
		for i, v := range values {
			if i%checkEvery == 0 {
				if err := l.check(); err != nil {
					return err
				}
			}
			add(Entry{Measurement: m, Key: key, Value: v})
		}
	}
	return nil
}

// tagKeysOf gives the tag keys of those series of a measurement for which the
// condition holds. It asks once for each key, and looks at no series' tags.
func (l *listing) tagKeysOf(m string, add func(Entry)) error {
	for _, key := range l.src.TagKeys(m) {
		if !keyHolds(l.q.Keys, key) {
			continue
		}
		if err := l.check(); err != nil {
			return err
		}
		having, err := l.src.Series(m, model.AllOf(l.q.Where, &model.Predicate{Op: model.NotEqual, Key: key}))
		if err != nil {
			return err
		}
		if len(having) > 0 {
			add(Entry{Measurement: m, Key: key})
		}
	}
	return nil
}

// tagsOf gives the tags of some series of a measurement.
func (l *listing) tagsOf(m string, series []uint32, add func(Entry)) error {
	seen := map[model.Tag]bool{}
	wanted := keysWanted(l.q.Keys)
	return eachSeries(l.check, series, func(id uint32) {
		for _, t := range l.src.Tags(id) {
			if l.q.Kind == ListTagKeys {
				t.Value = ""
			}
			if !seen[t] && wanted(t.Key) {
				seen[t] = true
				add(Entry{Measurement: m, Key: t.Key, Value: t.Value})
			}
		}
	})
}

// checkEvery is how many series are looked at between checks of the context.
const checkEvery = 4096

// eachSeries calls f for each series until check, which it calls now and then,
// gives an error.
func eachSeries(check func() error, series []uint32, f func(id uint32)) error {
	for i, id := range series {
		if i%checkEvery == 0 {
			if err := check(); err != nil {
				return err
			}
		}
		f(id)
	}
	return nil
}

// keysWanted gives keyHolds for p, which it asks once for each key.
func keysWanted(p *model.Predicate) func(key string) bool {
	known := map[string]bool{}
	return func(key string) bool {
		want, ok := known[key]
		if !ok {
			want = keyHolds(p, key)
			known[key] = want
		}
		return want
	}
}

// keyHolds reports whether a tag's key is asked for.
func keyHolds(p *model.Predicate, key string) bool {
	if p == nil {
		return true
	}
	switch p.Op {
	case model.And:
		return keyHolds(p.Left, key) && keyHolds(p.Right, key)
	case model.Or:
		return keyHolds(p.Left, key) || keyHolds(p.Right, key)
	case model.Everything:
		return true
	case model.Nothing:
		return false
	}
	return p.HoldsValue(key)
}
