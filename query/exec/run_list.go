package exec

import (
	"context"
	"fmt"
	"slices"

	"github.com/varvedb/varve/model"
)

// RunList answers q at a shard. It stops soon after ctx ends and does not
// close src.
func RunList(ctx context.Context, src Source, q *ListRequest) (*List, error) {
	out := &List{}
	for _, m := range src.Measurements() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !mayHold(q.Where, m) {
			continue
		}
		if err := out.add(ctx, src, q, m); err != nil {
			return nil, err
		}
		if q.Limit > 0 && len(out.Entries) >= q.Limit {
			break
		}
	}
	out.sort()
	out.cut(q.Limit)
	return out, nil
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

// add adds the entries of one measurement.
func (l *List) add(ctx context.Context, src Source, q *ListRequest, m string) error {
	tags := aboutTags(q.Where)
	switch {
	case q.Kind == ListFieldKeys:
		for _, f := range src.Fields(m) {
			l.Entries = append(l.Entries, Entry{Measurement: m, Key: f.Name, Type: f.Type})
		}
		return nil
	case q.Kind == ListMeasurements && !tags:
		l.Entries = append(l.Entries, Entry{Measurement: m})
		return nil
	case q.Kind == ListTagKeys && !tags:
		for _, k := range src.TagKeys(m) {
			if keyHolds(q.Keys, k) {
				l.Entries = append(l.Entries, Entry{Measurement: m, Key: k})
			}
		}
		return nil
	}
	series, err := src.Series(m, q.Where)
	if err != nil {
		return err
	}
	switch q.Kind {
	case ListMeasurements:
		if len(series) > 0 {
			l.Entries = append(l.Entries, Entry{Measurement: m})
		}
	case ListSeries:
		return l.addSeries(ctx, src, m, series)
	case ListTagKeys, ListTagValues:
		return l.addTags(ctx, src, q, m, series)
	default:
		return fmt.Errorf("list: kind %d: %w", q.Kind, model.ErrInvalid)
	}
	return nil
}

// checkEvery is how many series are looked at between checks of the context.
const checkEvery = 4096

func (l *List) addSeries(ctx context.Context, src Source, m string, series []uint32) error {
	for i, id := range series {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		l.Entries = append(l.Entries, Entry{Measurement: m, Key: string(src.Key(id))})
	}
	return nil
}

func (l *List) addTags(ctx context.Context, src Source, q *ListRequest, m string, series []uint32) error {
	seen := map[model.Tag]bool{}
	wanted := map[string]bool{}
	for i, id := range series {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		for _, t := range src.Tags(id) {
			if q.Kind == ListTagKeys {
				t.Value = ""
			}
			if seen[t] {
				continue
			}
			seen[t] = true
			want, known := wanted[t.Key]
			if !known {
				want = keyHolds(q.Keys, t.Key)
				wanted[t.Key] = want
			}
			if want {
				l.Entries = append(l.Entries, Entry{Measurement: m, Key: t.Key, Value: t.Value})
			}
		}
	}
	return nil
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

// Merge adds the entries of another list and leaves the first limit, 0 for all.
func (l *List) Merge(o *List, limit int) {
	l.Entries = append(l.Entries, o.Entries...)
	l.sort()
	l.cut(limit)
}

func (l *List) sort() {
	slices.SortFunc(l.Entries, Entry.Compare)
	l.Entries = slices.Compact(l.Entries)
}

func (l *List) cut(limit int) {
	if limit > 0 && len(l.Entries) > limit {
		l.Entries = l.Entries[:limit]
	}
}
