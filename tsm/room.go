package tsm

import (
	"errors"
	"fmt"
	"math"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/index"
)

// Room is what fits into a shard until it reaches a limit.
type Room struct {
	// Left is the number of series, whatever their tags, that fit for certain.
	Left int64
	// Refused are those of the series asked about that do not.
	Refused []RefusedSeries
}

// RefusedSeries is a series that does not fit.
type RefusedSeries struct {
	At  uint32 // its place among those asked about
	Why string // in InfluxDB's words
}

// Room holds series against limits. Series that have data fit always, of others
// those that come first. Nothing is kept for them.
func (s *Shard) Room(limits model.SeriesLimits, series []model.Series) (Room, error) {
	s.mu.Lock()
	closed, published := s.mu.closed, s.mu.publishedSeries
	s.mu.Unlock()
	if closed {
		return Room{}, errClosed
	}
	v := s.index.View()
	r, err := roomIn(v, s.index, int64(s.index.Live(published)), limits, series)
	return r, errors.Join(err, v.Close())
}

// EmptyRoom is that of a shard that was never written to.
func EmptyRoom(limits model.SeriesLimits, series []model.Series) (Room, error) {
	x := index.New()
	return roomIn(x.View(), x, 0, limits, series)
}

func roomIn(v *index.View, x *index.Index, live int64, limits model.SeriesLimits, series []model.Series) (Room, error) {
	a := admission{view: v, limits: limits, count: live, tags: map[tagName]tagRoom{}}
	r := Room{Left: math.MaxInt64}
	if limits.Series > 0 {
		r.Left = max(0, limits.Series-live)
	}
	if limits.ValuesPerTag > 0 {
		most, err := v.MostValues()
		if err != nil {
			return Room{}, err
		}
		r.Left = min(r.Left, max(0, limits.ValuesPerTag-int64(most)))
	}
	var fresh []uint32
	for i := range series {
		id, ok, err := v.Find(series[i].Hash)
		if err != nil {
			return Room{}, err
		}
		if !ok || x.AnyBuried([]uint32{id}) {
			fresh = append(fresh, uint32(i))
		}
	}
	if int64(len(fresh)) <= r.Left {
		return r, nil
	}
	for _, i := range fresh {
		why, err := a.refuses(&series[i])
		if err != nil {
			return Room{}, err
		}
		if why != "" {
			r.Refused = append(r.Refused, RefusedSeries{At: i, Why: why})
		}
	}
	return r, nil
}

// admission judges series one after the other.
type admission struct {
	view   *index.View
	limits model.SeriesLimits
	count  int64 // of series, those let in among them
	tags   map[tagName]tagRoom
}

type tagName struct{ measurement, key string }

// tagRoom is the values of a tag key: of series that have data, and of those let
// in.
type tagRoom map[string]struct{}

// refuses says why a series that has no data does not fit, or "".
func (a *admission) refuses(series *model.Series) (string, error) {
	if a.limits.Series > 0 && a.count >= a.limits.Series {
		return fmt.Sprintf("max-series-per-database limit exceeded: (%d)", a.limits.Series), nil
	}
	name, tags, ok := model.ParseSeriesKey(series.Key)
	if !ok {
		return "", nil // whoever writes it is told what is wrong
	}
	if a.limits.ValuesPerTag > 0 {
		if why, err := a.refusesTags(name, tags); why != "" || err != nil {
			return why, err
		}
	}
	a.count++
	return "", nil
}

func (a *admission) refusesTags(name string, tags model.Tags) (string, error) {
	limit := a.limits.ValuesPerTag
	rooms := make([]tagRoom, len(tags))
	for i, t := range tags {
		r, err := a.room(tagName{name, t.Key})
		if err != nil {
			return "", err
		}
		if _, there := r[t.Value]; !there && int64(len(r)) >= limit {
			return fmt.Sprintf("max-values-per-tag limit exceeded (%d/%d): measurement=%q tag=%q value=%q", len(r), limit, name, t.Key, t.Value), nil
		}
		rooms[i] = r
	}
	for i, t := range tags {
		rooms[i][t.Value] = struct{}{}
	}
	return "", nil
}

func (a *admission) room(at tagName) (tagRoom, error) {
	r, ok := a.tags[at]
	if ok {
		return r, nil
	}
	values, err := a.view.Values(at.measurement, at.key)
	if err != nil {
		return nil, err
	}
	a.tags[at] = values
	return values, nil
}
