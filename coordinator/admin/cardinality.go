package admin

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/internal/hll"
	"github.com/varvedb/varve/internal/wire"
	"github.com/varvedb/varve/model"
)

const (
	methodCensus = "admin.census"
	methodTags   = "admin.tags"

	// defaultTop is how many measurements and tags are shown, and maxTop how many
	// at most: for each of these all values of its tags are counted.
	defaultTop = 10
	maxTop     = 100
	// censusTimeout bounds the wait for all nodes.
	censusTimeout = 20 * time.Second
	// growthOver is how long apart two counts must be to say what has grown.
	growthOver = time.Minute
)

// census is what a node counts of its shards.
type census struct {
	Databases []databaseCensus `json:"databases"`
}

type databaseCensus struct {
	Name         string              `json:"name"`
	Sketch       []byte              `json:"sketch"` // of its series
	Measurements int                 `json:"measurements"`
	Shards       int                 `json:"shards"`
	Bytes        int64               `json:"bytes"`
	Largest      []measurementCensus `json:"largest"`
}

type measurementCensus struct {
	Name   string        `json:"name"`
	Group  uint64        `json:"group"`
	Series int           `json:"series"`
	Grown  int           `json:"grown"` // since the time Over ago
	Over   time.Duration `json:"over"`
}

type tagsRequest struct {
	Group       uint64 `json:"group"`
	Measurement string `json:"measurement"`
}

// censusHere gives what this node counts.
func (a *Admin) censusHere() *census {
	out := &census{}
	if a.Local == nil {
		return out
	}
	now, past := a.Local.Census(), a.Local.Past()
	over := now.At.Sub(past.At)
	before := map[string]map[string]int{}
	for _, d := range past.Databases {
		before[d.Name] = map[string]int{}
		for _, m := range d.Largest {
			before[d.Name][m.Name] = m.Series
		}
	}
	for _, d := range now.Databases {
		c := databaseCensus{Name: d.Name, Sketch: d.Series.Append(nil), Measurements: d.Measurements, Shards: d.Shards, Bytes: d.DiskBytes}
		for _, m := range d.Largest {
			e := measurementCensus{Name: m.Name, Group: m.Group, Series: m.Series}
			if !past.At.IsZero() && over >= growthOver {
				e.Grown, e.Over = m.Series-before[d.Name][m.Name], over
			}
			c.Largest = append(c.Largest, e)
		}
		out.Databases = append(out.Databases, c)
	}
	return out
}

// everyNode asks all data nodes that are there, this one among them, and names
// those that do not answer.
func everyNode[T any](ctx context.Context, a *Admin, here func() (T, error), method string, request any) (all []T, lacking []string) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	s := a.Store.Snapshot()
	for _, n := range s.Nodes() {
		wg.Go(func() {
			var answer T
			var err error
			if n.ID == a.Store.Self() {
				answer, err = here()
			} else {
				err = a.call(ctx, n.ID, method, request, &answer)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				lacking = append(lacking, n.Name)
				return
			}
			all = append(all, answer)
		})
	}
	wg.Wait()
	slices.Sort(lacking)
	return all, lacking
}

// listCardinality answers GET /cardinality.
func (a *Admin) listCardinality(w http.ResponseWriter, r *http.Request) {
	top, database := defaultTop, r.URL.Query().Get("database")
	var err error
	if text := r.URL.Query().Get("top"); text != "" {
		if top, err = strconv.Atoi(text); err != nil || top < 1 || top > maxTop {
			err = &model.Error{Kind: model.ErrInvalid, Text: "top is not a number from 1 to 100"}
		}
	}
	a.answer(w, r, err, func(ctx context.Context) (any, error) {
		ctx, cancel := context.WithTimeout(ctx, censusTimeout)
		defer cancel()
		return a.cardinality(ctx, database, top)
	})
}

// found is a measurement with the group that its tags are counted in.
type found struct {
	adminapi.MeasurementCardinality
	group uint64
}

func (a *Admin) cardinality(ctx context.Context, database string, top int) (*adminapi.Cardinality, error) {
	counts, lacking := everyNode(ctx, a, func() (*census, error) { return a.censusHere(), nil }, methodCensus, nil)
	out := &adminapi.Cardinality{
		Databases: []adminapi.DatabaseCardinality{}, Measurements: []adminapi.MeasurementCardinality{}, Tags: []adminapi.TagCardinality{}, Lacking: lacking,
	}
	byName := map[string][]*databaseCensus{}
	for _, c := range counts {
		for i := range c.Databases {
			if d := &c.Databases[i]; database == "" || d.Name == database {
				byName[d.Name] = append(byName[d.Name], d)
			}
		}
	}
	if database != "" && len(byName) == 0 {
		return nil, &model.Error{Kind: model.ErrNotFound, Text: "database not found: " + database}
	}
	var largest []found
	for name, nodes := range byName {
		d, measurements, err := merge(name, nodes)
		if err != nil {
			return nil, err
		}
		out.Databases = append(out.Databases, d)
		largest = append(largest, measurements...)
	}
	slices.SortFunc(out.Databases, func(x, y adminapi.DatabaseCardinality) int {
		return cmp.Or(cmp.Compare(y.Series, x.Series), strings.Compare(x.Database, y.Database))
	})
	slices.SortFunc(largest, func(x, y found) int {
		return cmp.Or(cmp.Compare(y.Series, x.Series), strings.Compare(x.Database, y.Database), strings.Compare(x.Measurement, y.Measurement))
	})
	for _, m := range largest[:min(top, len(largest))] {
		out.Measurements = append(out.Measurements, m.MeasurementCardinality)
		tags, silent := a.tags(ctx, m)
		out.Tags = append(out.Tags, tags...)
		out.Lacking = append(out.Lacking, silent...)
	}
	slices.Sort(out.Lacking)
	out.Lacking = slices.Compact(out.Lacking)
	slices.SortStableFunc(out.Tags, func(x, y adminapi.TagCardinality) int { return cmp.Compare(y.Values, x.Values) })
	out.Tags = out.Tags[:min(top, len(out.Tags))]
	return out, nil
}

// merge puts together what nodes count of a database. Its series are counted
// once. How many of a measurement's series several nodes have is not known: as
// many, it is taken, as of the database as a whole.
func merge(name string, nodes []*databaseCensus) (adminapi.DatabaseCardinality, []found, error) {
	d := adminapi.DatabaseCardinality{Database: name}
	all, sum := new(hll.Sketch), uint64(0)
	type measured struct {
		group uint64
		most  int
		sum   float64
		grown float64
		over  time.Duration
	}
	measurements := map[string]*measured{}
	for _, n := range nodes {
		r := wire.NewReader(n.Sketch, 1<<20)
		sketch := hll.Decode(r)
		if err := r.Done(); err != nil {
			return d, nil, err
		}
		sum += sketch.Count()
		all.Merge(sketch)
		d.Measurements = max(d.Measurements, n.Measurements)
		d.Shards += n.Shards
		d.Bytes += n.Bytes
		for _, m := range n.Largest {
			e := measurements[m.Name]
			if e == nil {
				e = &measured{over: m.Over}
				measurements[m.Name] = e
			}
			if m.Series > e.most {
				e.most, e.group = m.Series, m.Group
			}
			e.sum += float64(m.Series)
			e.over = min(e.over, m.Over) // 0 when one does not know
			if m.Over > 0 {
				e.grown += float64(m.Grown) / m.Over.Hours()
			}
		}
	}
	d.Series = int64(all.Count())
	once := 1.0
	if sum > 0 {
		once = float64(d.Series) / float64(sum)
	}
	var largest []found
	for name, e := range measurements {
		f := found{group: e.group}
		f.Database, f.Measurement = d.Database, name
		f.Series = max(int64(e.most), int64(math.Round(e.sum*once)))
		if e.over > 0 {
			f.Growth = adminapi.Growth{PerHour: math.Round(e.grown * once), Over: e.over}
			d.Growth.PerHour += f.Growth.PerHour
			d.Growth.Over = max(d.Growth.Over, e.over)
		}
		largest = append(largest, f)
	}
	return d, largest, nil
}

// tags gives how many values the tags of a measurement have: as many as they have
// on the node where they have the most.
func (a *Admin) tags(ctx context.Context, m found) (tags []adminapi.TagCardinality, lacking []string) {
	request := tagsRequest{Group: m.group, Measurement: m.Measurement}
	all, lacking := everyNode(ctx, a, func() ([]data.TagCensus, error) { return a.tagsHere(ctx, request) }, methodTags, request)
	most := map[string]int{}
	for _, node := range all {
		for _, t := range node {
			most[t.Key] = max(most[t.Key], t.Values)
		}
	}
	for key, n := range most {
		tags = append(tags, adminapi.TagCardinality{Database: m.Database, Measurement: m.Measurement, Tag: key, Values: n})
	}
	slices.SortFunc(tags, func(x, y adminapi.TagCardinality) int {
		return cmp.Or(cmp.Compare(y.Values, x.Values), strings.Compare(x.Tag, y.Tag))
	})
	return tags, lacking
}

func (a *Admin) tagsHere(ctx context.Context, r tagsRequest) ([]data.TagCensus, error) {
	if a.Local == nil {
		return nil, nil
	}
	return a.Local.Tags(ctx, r.Group, r.Measurement)
}
