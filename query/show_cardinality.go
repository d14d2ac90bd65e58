package query

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
)

// membersAtATime is how many hashes, of 16 bytes, an exact count compares in one
// go. More are counted part by part.
const membersAtATime = 1 << 20

// cardinality is one of the statements SHOW … CARDINALITY.
type cardinality struct {
	kind          exec.ListKind
	database      string
	exact         bool
	sources       influxql.Sources
	keys          *model.Predicate
	condition     influxql.Expr
	dimensions    influxql.Dimensions
	limit, offset int
	// noTime is what InfluxDB says of a condition on time; "" where one may be.
	noTime string
}

// cardinalityOf gives the cardinality that a statement asks for; nil for others.
func cardinalityOf(stmt influxql.Statement) (*cardinality, error) {
	switch s := stmt.(type) {
	case *influxql.ShowSeriesCardinalityStatement:
		return &cardinality{
			exec.ListSeries, s.Database, s.Exact, s.Sources, nil, s.Condition, s.Dimensions, s.Limit, s.Offset,
			"SHOW SERIES EXACT CARDINALITY doesn't support time in WHERE clause",
		}, nil
	case *influxql.ShowMeasurementCardinalityStatement:
		return &cardinality{
			exec.ListMeasurements, s.Database, s.Exact, s.Sources, nil, s.Condition, s.Dimensions, s.Limit, s.Offset,
			"SHOW MEASUREMENT EXACT CARDINALITY doesn't support time in WHERE clause",
		}, nil
	case *influxql.ShowTagKeyCardinalityStatement:
		return &cardinality{
			exec.ListTagKeys, s.Database, true, s.Sources, nil, s.Condition, s.Dimensions, s.Limit, s.Offset,
			"SHOW TAG KEY EXACT CARDINALITY doesn't support time in WHERE clause",
		}, nil
	case *influxql.ShowFieldKeyCardinalityStatement:
		return &cardinality{
			exec.ListFieldKeys, s.Database, true, s.Sources, nil, s.Condition, s.Dimensions, s.Limit, s.Offset,
			"SHOW FIELD KEY CARDINALITY doesn't support time in WHERE clause",
		}, nil
	case *influxql.ShowTagValuesCardinalityStatement:
		keys, err := keyPredicate(s.Op, s.TagKeyExpr)
		return &cardinality{exec.ListTagValues, s.Database, true, s.Sources, keys, s.Condition, s.Dimensions, s.Limit, s.Offset, ""}, err
	}
	return nil, nil
}

// showCardinality estimates or counts. InfluxDB estimates the series and the
// measurements of a whole database, and counts what is asked for in more words
// by a SELECT over names: in the policies that the sources name, grouped by tags,
// one row for each series of the result.
func (r *statementRun) showCardinality(ctx context.Context, c *cardinality) error {
	if !c.exact && c.sources == nil && c.condition == nil && c.dimensions == nil && c.limit == 0 && c.offset == 0 {
		return r.estimate(ctx, c)
	}
	if c.noTime != "" && influxql.HasTimeExpr(c.condition) {
		return &model.Error{Kind: model.ErrInvalid, Text: c.noTime}
	}
	if err := r.begin(Statement{Partial: true}); err != nil {
		return err
	}
	cond, times, err := splitTime(c.condition, r.req.Now)
	if err != nil {
		return err
	}
	groups, err := r.groups(ctx, c.database, c.sources, times, true)
	if err != nil {
		return err
	}
	q := exec.ListRequest{Kind: c.kind, Keys: c.keys, Count: new(exec.Counting)}
	tags, err := r.countWhere(ctx, c, groups, cond, &q)
	if err != nil {
		return err
	}
	// The names come at the time 0, and one row of each series of the result.
	if c.offset > 0 || !times.Contains(0) {
		return nil
	}
	counts, err := r.count(ctx, groups, q)
	if err != nil {
		return err
	}
	for i := range counts {
		rows := exec.Rows{
			Name: counts[i].Measurement, HasTags: len(tags) > 0, Columns: []string{"count"},
			Values: []model.Column{{Field: model.Field{Name: "count", Type: model.Integer}}},
		}
		for k, tag := range tags {
			rows.Tags = append(rows.Tags, model.Tag{Key: tag, Value: counts[i].Tags[k]})
		}
		rows.Values[0].AppendBits(counts[i].n)
		if err := r.rows(&rows); err != nil {
			return err
		}
	}
	return nil
}

// estimate gives the one number of a database, 0 for one that there is not.
func (r *statementRun) estimate(ctx context.Context, c *cardinality) error {
	var n uint64
	db, err := r.database(ctx, c.database)
	switch {
	case err == nil:
		if n, err = r.estimateOf(ctx, db, c.kind); err != nil {
			return err
		}
	case !isNotFound(err):
		return err
	}
	t := newTable("", "cardinality estimation", model.Integer)
	t.bits(0, n)
	return r.table(t)
}

// estimateOf estimates the series or the measurements of a database.
func (r *statementRun) estimateOf(ctx context.Context, db *Database, kind exec.ListKind) (uint64, error) {
	list, err := r.executor.storage.List(ctx, r.read, allShards(db, model.AllTime), &exec.ListRequest{
		Kind: kind, Count: &exec.Counting{Sketch: true},
	})
	if err != nil || list.Sketch == nil {
		return 0, err
	}
	return list.Sketch.Count(), nil
}

// countWhere writes the condition and the tags to group by into q, and gives
// these tags, sorted.
func (r *statementRun) countWhere(ctx context.Context, c *cardinality, groups []group, cond influxql.Expr, q *exec.ListRequest) (tags []string, err error) {
	where := seriesCondition{comparing: selecting}
	if c.kind == exec.ListTagValues {
		// InfluxDB holds the condition against the tags that a series has.
		where.present = true
		var keys *model.Predicate
		if cond, keys, err = keyTerms(cond); err != nil {
			return nil, err
		}
		q.Keys = model.AllOf(q.Keys, keys)
	}
	by := map[string]bool{}
	var chosen []func(tag string) bool
	for _, d := range c.dimensions {
		switch e := d.Expr.(type) {
		case *influxql.VarRef:
			by[e.Val] = true
		case *influxql.Wildcard:
			chosen = append(chosen, func(string) bool { return true })
		case *influxql.RegexLiteral:
			chosen = append(chosen, e.Val.MatchString)
		case *influxql.Call:
			return nil, invalid(fmt.Errorf("GROUP BY %s: a cardinality has no time to group by", e))
		default:
			return nil, invalid(errors.New("only time and tag dimensions allowed"))
		}
	}
	if len(chosen) > 0 || cond != nil {
		where.fields = map[string][]string{}
		for _, g := range groups {
			for _, s := range g.shards {
				schemas, err := r.executor.storage.Schema(ctx, r.read, s, g.from)
				if err != nil {
					return nil, err
				}
				for _, m := range schemas {
					for _, f := range m.Fields {
						where.fields[f.Name] = append(where.fields[f.Name], m.Name)
					}
					for _, tag := range m.TagKeys {
						by[tag] = by[tag] || slices.ContainsFunc(chosen, func(f func(string) bool) bool { return f(tag) })
					}
				}
			}
		}
	}
	maps.DeleteFunc(by, func(_ string, wanted bool) bool { return !wanted })
	q.Count.GroupBy = slices.Sorted(maps.Keys(by))
	q.Where, err = where.predicate(cond)
	return q.Count.GroupBy, err
}

// counted is how many different things a group has.
type counted struct {
	exec.Set // without members
	n        uint64
}

// count counts over all the groups of sources, each thing once. How many parts
// the work is cut into is decided by an estimate.
func (r *statementRun) count(ctx context.Context, groups []group, q exec.ListRequest) ([]counted, error) {
	counting := *q.Count
	counting.Sketch = true
	q.Count = &counting
	all, err := r.listAll(ctx, groups, q)
	if err != nil || all.Sketch == nil {
		return nil, err
	}
	counting.Sketch = false
	counting.Parts = int(all.Sketch.Count()/membersAtATime) + 1
	byGroup := map[string]*counted{}
	var key strings.Builder
	for counting.Part = range counting.Parts {
		if all, err = r.listAll(ctx, groups, q); err != nil {
			return nil, err
		}
		for i := range all.Sets {
			s := &all.Sets[i]
			key.Reset()
			fmt.Fprintf(&key, "%q%q", s.Measurement, s.Tags)
			c := byGroup[key.String()]
			if c == nil {
				c = &counted{Set: exec.Set{Measurement: s.Measurement, Tags: s.Tags}}
				byGroup[key.String()] = c
			}
			c.n += uint64(len(s.Members))
		}
		if most := r.executor.cfg.MaxSeries; most > 0 && len(byGroup) > most {
			return nil, &model.Error{Kind: model.ErrTooLarge, Text: fmt.Sprintf("max-select-series limit exceeded: (%d/%d)", len(byGroup), most)}
		}
	}
	counts := make([]counted, 0, len(byGroup))
	for _, c := range byGroup {
		counts = append(counts, *c)
	}
	slices.SortFunc(counts, func(a, b counted) int { return a.CompareGroup(&b.Set) })
	return counts, nil
}
