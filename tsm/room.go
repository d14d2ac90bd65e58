package tsm

import (
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
	return roomIn(s.index, int64(s.index.Live(published)), limits, series), nil
}

// EmptyRoom is that of a shard that was never written to.
func EmptyRoom(limits model.SeriesLimits, series []model.Series) Room {
	return roomIn(index.New(), 0, limits, series)
}

func roomIn(x *index.Index, live int64, limits model.SeriesLimits, series []model.Series) Room {
	a := admission{index: x, limits: limits, count: live, values: map[tagName]map[string]bool{}}
	r := Room{Left: math.MaxInt64}
	if limits.Series > 0 {
		r.Left = max(0, limits.Series-live)
	}
	if limits.ValuesPerTag > 0 {
		r.Left = min(r.Left, max(0, limits.ValuesPerTag-int64(x.MostValues())))
	}
	for i := range series {
		if why := a.refuses(&series[i]); why != "" {
			r.Refused = append(r.Refused, RefusedSeries{At: uint32(i), Why: why})
		}
	}
	return r
}

// admission judges series one after the other.
type admission struct {
	index  *index.Index
	limits model.SeriesLimits
	count  int64                       // of series, those let in among them
	values map[tagName]map[string]bool // that those let in bring
}

type tagName struct{ measurement, key string }

// refuses says why a series does not fit, or "".
func (a *admission) refuses(series *model.Series) string {
	if id, ok := a.index.Find(series.Hash); ok && !a.index.AnyBuried([]uint32{id}) {
		return ""
	}
	if a.limits.Series > 0 && a.count >= a.limits.Series {
		return fmt.Sprintf("max-series-per-database limit exceeded: (%d)", a.limits.Series)
	}
	name, tags, ok := model.ParseSeriesKey(series.Key)
	if !ok {
		return "" // whoever writes it is told what is wrong
	}
	var fresh []model.Tag
	if limit := a.limits.ValuesPerTag; limit > 0 {
		for _, t := range tags {
			at := tagName{name, t.Key}
			if a.values[at][t.Value] || a.index.HasValue(name, t.Key, t.Value) {
				continue
			}
			n := int64(a.index.Values(name, t.Key) + len(a.values[at]))
			if n >= limit {
				return fmt.Sprintf("max-values-per-tag limit exceeded (%d/%d): measurement=%q tag=%q value=%q", n, limit, name, t.Key, t.Value)
			}
			fresh = append(fresh, t)
		}
	}
	for _, t := range fresh {
		at := tagName{name, t.Key}
		if a.values[at] == nil {
			a.values[at] = map[string]bool{}
		}
		a.values[at][t.Value] = true
	}
	a.count++
	return ""
}
