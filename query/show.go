package query

import (
	"context"
	"slices"

	"github.com/influxdata/influxql"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
)

func (r *statementRun) showSeries(ctx context.Context, stmt *influxql.ShowSeriesStatement) error {
	if err := r.begin(Statement{Partial: true}); err != nil {
		return err
	}
	cond, times, err := splitTime(stmt.Condition, r.req.Now)
	if err != nil {
		return err
	}
	// All policies of a database share what is shown, except that a condition on
	// time makes InfluxDB look into the shards of one policy.
	byTime := influxql.HasTimeExpr(stmt.Condition)
	comparing := lenient
	if byTime {
		comparing = selecting
	}
	where, err := (&seriesCondition{comparing: comparing}).predicate(cond)
	if err != nil {
		return err
	}
	groups, err := r.groups(ctx, stmt.Database, stmt.Sources, times, byTime)
	if err != nil {
		return err
	}
	list, err := r.list(ctx, groups, exec.ListRequest{
		Kind:   exec.ListSeries,
		Where:  where,
		Within: r.within(stmt.Condition, times),
		Limit:  end(stmt.Offset, stmt.Limit),
	})
	if err != nil {
		return err
	}
	keys := cut(list, stmt.Offset, stmt.Limit)
	return emit(r, "", []string{"key"}, keys, r.req.ChunkSize, func(e *exec.Entry, row [][]byte) {
		row[0] = append(row[0], e.Key...)
	})
}

func (r *statementRun) showFieldKeys(ctx context.Context, stmt *influxql.ShowFieldKeysStatement) error {
	if err := r.begin(Statement{Partial: true}); err != nil {
		return err
	}
	groups, err := r.groups(ctx, stmt.Database, stmt.Sources, model.AllTime, true)
	if err != nil {
		return err
	}
	return r.fieldKeys(ctx, groups, exec.ListRequest{Kind: exec.ListFieldKeys}, stmt.Offset, stmt.Limit)
}

// showFieldKeysWhere runs SHOW FIELD KEYS with a condition, which is an extension:
// the fields that have values in series and a range of time.
func (r *statementRun) showFieldKeysWhere(ctx context.Context, stmt *influxql.ShowTagKeysStatement) error {
	if err := r.begin(Statement{Partial: true}); err != nil {
		return err
	}
	cond, times, err := splitTime(stmt.Condition, r.req.Now)
	if err != nil {
		return err
	}
	where, err := tagPredicate(cond)
	if err != nil {
		return err
	}
	groups, err := r.groups(ctx, stmt.Database, stmt.Sources, times, true)
	if err != nil {
		return err
	}
	return r.fieldKeys(ctx, groups, exec.ListRequest{Kind: exec.ListFieldKeys, Where: where, Within: &times}, stmt.Offset, stmt.Limit)
}

func (r *statementRun) fieldKeys(ctx context.Context, groups []group, q exec.ListRequest, offset, limit int) error {
	list, err := r.list(ctx, groups, q)
	if err != nil {
		return err
	}
	// Types of one field come by name of the type.
	slices.SortStableFunc(list, func(a, b exec.Entry) int {
		return compare(a.Measurement, b.Measurement, a.Key, b.Key, a.Type.String(), b.Type.String())
	})
	return r.emitByMeasurement([]string{"fieldKey", "fieldType"}, list, offset, limit, func(e *exec.Entry, row [][]byte) {
		row[0], row[1] = append(row[0], e.Key...), append(row[1], e.Type.String()...)
	})
}

func (r *statementRun) showTagKeys(ctx context.Context, stmt *influxql.ShowTagKeysStatement) error {
	if key, ok := stmt.TagKeyExpr.(*influxql.StringLiteral); ok && key.Val == fieldKeysRef && r.req.Extensions {
		return r.showFieldKeysWhere(ctx, stmt)
	}
	keys, err := keyPredicate(stmt.TagKeyOp, stmt.TagKeyExpr)
	if err != nil {
		return err
	}
	list, err := r.listTags(ctx, stmt.Database, stmt.Sources, stmt.Condition, exec.ListRequest{
		Kind: exec.ListTagKeys, Keys: keys, Limit: end(stmt.Offset, stmt.Limit),
	})
	if err != nil {
		return err
	}
	return r.emitByMeasurement([]string{"tagKey"}, list, stmt.Offset, stmt.Limit, func(e *exec.Entry, row [][]byte) {
		row[0] = append(row[0], e.Key...)
	})
}

func (r *statementRun) showTagValues(ctx context.Context, stmt *influxql.ShowTagValuesStatement) error {
	keys, err := keyPredicate(stmt.Op, stmt.TagKeyExpr)
	if err != nil {
		return err
	}
	list, err := r.listTags(ctx, stmt.Database, stmt.Sources, stmt.Condition, exec.ListRequest{
		Kind: exec.ListTagValues, Keys: keys, Limit: end(stmt.Offset, stmt.Limit),
	})
	if err != nil {
		return err
	}
	return r.emitByMeasurement([]string{"key", "value"}, list, stmt.Offset, stmt.Limit, func(e *exec.Entry, row [][]byte) {
		row[0], row[1] = append(row[0], e.Key...), append(row[1], e.Value...)
	})
}

// listTags runs SHOW TAG KEYS and SHOW TAG VALUES: over all policies, whichever
// the sources name, as InfluxDB does. Time in the condition chooses shards.
func (r *statementRun) listTags(ctx context.Context, database string, sources influxql.Sources, cond influxql.Expr, q exec.ListRequest) ([]exec.Entry, error) {
	db, err := r.database(ctx, database)
	if err != nil {
		return nil, err
	}
	rest, times, err := splitTime(cond, r.req.Now)
	if err != nil {
		return nil, err
	}
	rest, keys, err := keyTerms(rest)
	if err != nil {
		return nil, err
	}
	if q.Kind == exec.ListTagValues { // among keys InfluxDB does not choose by them
		q.Keys = model.AllOf(q.Keys, keys)
	}
	where, err := (&seriesCondition{comparing: lenient}).predicate(rest)
	if err != nil {
		return nil, err
	}
	q.Where = model.AllOf(measurementPredicate(sources), where)
	q.Within = r.within(cond, times)
	q.LimitEach = true
	list, err := r.executor.storage.List(ctx, r.read, allShards(db, times), &q)
	if err != nil {
		return nil, err
	}
	return list.Entries, nil
}

// within gives the range in which a series must have a point to be shown; nil
// where a condition on time only chooses shards, as InfluxDB does.
func (r *statementRun) within(cond influxql.Expr, times model.TimeRange) *model.TimeRange {
	if r.req.Extensions && influxql.HasTimeExpr(cond) {
		return &times
	}
	return nil
}

// group is the sources of a statement that are in the same shards.
type group struct {
	shards []Shards
	from   *model.Predicate
}

// groups finds the shards of each source. Without byPolicy those are of all
// policies, although the source's policy must exist.
func (r *statementRun) groups(ctx context.Context, database string, sources influxql.Sources, times model.TimeRange, byPolicy bool) ([]group, error) {
	if len(sources) == 0 {
		sources = influxql.Sources{&influxql.Measurement{}}
	}
	type place struct{ database, policy string }
	var (
		order  []place
		bySite = make(map[place]influxql.Sources)
		dbs    = make(map[place]*Database)
	)
	for _, s := range sources {
		m, ok := s.(*influxql.Measurement)
		if !ok {
			continue
		}
		named := m.Database
		if named == "" {
			named = database
		}
		db, err := r.database(ctx, named)
		if err != nil {
			return nil, err
		}
		policy := m.RetentionPolicy
		if policy == "" {
			if policy, err = r.policy(db); err != nil {
				return nil, err
			}
		}
		if err := r.checkPolicy(ctx, db.Name, policy); err != nil {
			return nil, err
		}
		p := place{database: db.Name}
		if byPolicy {
			p.policy = policy
		}
		if _, ok := bySite[p]; !ok {
			order = append(order, p)
			bySite[p] = nil
			dbs[p] = db
		}
		if m.Name != "" || m.Regex != nil {
			bySite[p] = append(bySite[p], m)
		}
	}
	var groups []group
	for _, p := range order {
		g := group{from: measurementPredicate(bySite[p]), shards: allShards(dbs[p], times)}
		if byPolicy {
			g.shards = []Shards{{Database: p.database, Policy: p.policy, Range: times}}
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// list gives the entries of all groups, sorted, each once.
func (r *statementRun) list(ctx context.Context, groups []group, q exec.ListRequest) ([]exec.Entry, error) {
	all, err := r.listAll(ctx, groups, q)
	if err != nil {
		return nil, err
	}
	return all.Entries, nil
}

// listAll runs q on each group and merges what they have.
func (r *statementRun) listAll(ctx context.Context, groups []group, q exec.ListRequest) (*exec.List, error) {
	all := new(exec.List)
	for _, g := range groups {
		request := q
		request.Where = model.AllOf(g.from, q.Where)
		list, err := r.executor.storage.List(ctx, r.read, g.shards, &request)
		if err != nil {
			return nil, err
		}
		all.Merge(list, &request)
	}
	return all, nil
}

// emitByMeasurement gives one series per measurement, each cut by itself.
func (r *statementRun) emitByMeasurement(columns []string, list []exec.Entry, offset, limit int, fill func(*exec.Entry, [][]byte)) error {
	chunk := 0
	if r.begun {
		chunk = r.req.ChunkSize // a statement that InfluxDB runs as a SELECT
	}
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].Measurement == list[0].Measurement {
			n++
		}
		if err := emit(r, list[0].Measurement, columns, cut(list[:n], offset, limit), chunk, fill); err != nil {
			return err
		}
		list = list[n:]
	}
	return r.begin(Statement{})
}

// pieceRows bounds a piece that may have any number of rows: the list is not
// copied at once.
const pieceRows = 8192

// emit gives one series of text, in pieces of chunk rows, 0 for pieces of any
// size. fill appends to the columns of an empty row. A series without rows is
// none.
func emit[T any](r *statementRun, name string, columns []string, list []T, chunk int, fill func(e *T, row [][]byte)) error {
	if err := r.begin(Statement{}); err != nil {
		return err
	}
	row := make([][]byte, len(columns))
	for len(list) > 0 {
		n := len(list)
		switch {
		case chunk > 0:
			n = min(n, chunk)
		case r.req.ChunkSize == 0: // else each piece would be shown as one
			n = min(n, pieceRows)
		}
		rows := exec.Rows{Name: name, Columns: columns, Values: make([]model.Column, len(columns)), More: n < len(list)}
		for i, c := range columns {
			rows.Values[i].Field = model.Field{Name: c, Type: model.String}
		}
		for i := range list[:n] {
			fill(&list[i], row)
			for k := range row {
				rows.Values[k].AppendText(row[k])
				row[k] = row[k][:0]
			}
		}
		if err := r.rows(&rows); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// rows hands a piece to the sink.
func (r *statementRun) rows(rows *exec.Rows) error {
	r.watch.task.answered.Add(int64(rows.Len()))
	r.sinkErr = r.watch.give(func() error { return r.sink.Rows(rows) })
	return r.sinkErr
}

// cut applies OFFSET and LIMIT; a limit of 0 is none.
func cut[T any](list []T, offset, limit int) []T {
	list = list[min(max(offset, 0), len(list)):]
	if limit > 0 && limit < len(list) {
		list = list[:limit]
	}
	return list
}

// end gives how many entries of a list OFFSET and LIMIT can need; 0 is all.
func end(offset, limit int) int {
	if limit <= 0 || offset+limit < 0 {
		return 0
	}
	return max(offset, 0) + limit
}
