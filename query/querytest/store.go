package querytest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/model/lineprotocol"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/exec/exectest"
	"github.com/varvedb/varve/query/plan"
)

// Options says how a Store cuts what it holds.
type Options struct {
	ShardDuration time.Duration // 0: all of time is one shard
	GranuleRows   int           // rows of a granule at most; 0 is exectest's default
	NoStats       bool          // granules have no statistics
}

// Store is a query.Catalog and a query.Storage in memory. It does not check
// what the metadata checks, and is used by one goroutine at a time.
type Store struct {
	opt    Options
	parser *lineprotocol.Parser
	dbs    []*query.Database
	rows   map[place][]exectest.Row

	continuous    map[string][]query.ContinuousQuery // by database
	subscriptions map[string][]query.Subscription
	users         []query.Account
}

type place struct{ database, policy string }

var (
	_ query.Catalog = (*Store)(nil)
	_ query.Storage = (*Store)(nil)
)

// NewStore gives an empty Store.
func NewStore(opt Options) *Store {
	return &Store{
		opt:           opt,
		parser:        lineprotocol.NewParser(lineprotocol.DefaultConfig()),
		rows:          make(map[place][]exectest.Row),
		continuous:    make(map[string][]query.ContinuousQuery),
		subscriptions: make(map[string][]query.Subscription),
	}
}

// Write stores line protocol. It makes the database if there is none.
func (s *Store) Write(database, policy string, lines []byte) error {
	if err := s.CreateDatabase(context.Background(), database, nil); err != nil {
		return err
	}
	if policy == "" {
		policy = "autogen"
	}
	parsed, err := s.parser.Parse(lines, lineprotocol.Options{Now: Now})
	if err != nil {
		return err
	}
	s.keep(place{database, policy}, parsed.Batch)
	return parsed.Err
}

// keep stores a batch.
func (s *Store) keep(p place, b *model.Batch) {
	for i := range b.Tables {
		t := &b.Tables[i]
		for n := range t.Times {
			_, tags, _ := model.ParseSeriesKey(b.Series[t.Series[n]].Key)
			row := exectest.Row{Measurement: t.Measurement, Tags: tags, Time: t.Times[n], Fields: make(map[string]any)}
			for k := range t.Columns {
				if v := t.Columns[k].Value(n); v != nil {
					row.Fields[t.Columns[k].Name] = v
				}
			}
			s.rows[p] = append(s.rows[p], row)
		}
	}
}

// into is a Store as the query.Writer of SELECT … INTO.
type into struct{ store *Store }

var _ query.Writer = into{}

// Write implements query.Writer.
func (i into) Write(ctx context.Context, to query.Destination, b *model.Batch) error {
	if _, err := i.store.Policy(ctx, to.Database, to.Policy); err != nil {
		return err
	}
	i.store.keep(place{to.Database, to.Policy}, b)
	return nil
}

// shard is the rows of one window of time.
type shard struct {
	window model.TimeRange
	source *exectest.Memory
}

// shards gives the shards of a policy that overlap a range, by time.
func (s *Store) shards(of query.Shards) []shard {
	width := int64(s.opt.ShardDuration)
	byStart := make(map[int64][]exectest.Row)
	for _, r := range s.rows[place{of.Database, of.Policy}] {
		start := int64(model.MinTime)
		if width > 0 {
			start = r.Time - ((r.Time%width)+width)%width
		}
		byStart[start] = append(byStart[start], r)
	}
	var out []shard
	for start, rows := range byStart {
		window := model.AllTime
		if width > 0 {
			window = model.TimeRange{Min: start, Max: start + width - 1}
		}
		if window.Overlaps(of.Range) {
			out = append(out, shard{window, exectest.New(exectest.Options{GranuleRows: s.opt.GranuleRows, NoStats: s.opt.NoStats}, rows...)})
		}
	}
	slices.SortFunc(out, func(a, b shard) int { return cmp.Compare(a.window.Min, b.window.Min) })
	return out
}

// Schema implements query.Storage.
func (s *Store) Schema(_ context.Context, _ *query.Read, of query.Shards, where *model.Predicate) ([]plan.Schema, error) {
	all := make(map[string]*plan.Schema)
	for _, sh := range s.shards(of) {
		for _, name := range sh.source.Measurements() {
			if !where.Holds(name, nil) {
				continue
			}
			if all[name] == nil {
				all[name] = &plan.Schema{Database: of.Database, Policy: of.Policy, Name: name}
			}
			all[name].Fields = append(all[name].Fields, sh.source.Fields(name)...)
			all[name].TagKeys = append(all[name].TagKeys, sh.source.TagKeys(name)...)
		}
	}
	var out []plan.Schema
	for _, m := range all {
		slices.SortFunc(m.Fields, func(a, b model.Field) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type)) })
		m.Fields = slices.Compact(m.Fields)
		slices.Sort(m.TagKeys)
		m.TagKeys = slices.Compact(m.TagKeys)
		out = append(out, *m)
	}
	slices.SortFunc(out, func(a, b plan.Schema) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// Scan implements query.Storage.
func (s *Store) Scan(_ context.Context, _ *query.Read, f *plan.Fragment) ([]exec.Stream, error) {
	var streams []exec.Stream
	for _, sh := range s.shards(query.Shards{Database: f.Database, Policy: f.Policy, Range: f.Range}) {
		streams = append(streams, exec.Pipe(sh.window, func(ctx context.Context, emit func(*exec.Partial) error) error {
			return runFragment(ctx, sh.source, f, emit)
		}))
	}
	if f.Descending {
		slices.Reverse(streams)
	}
	return streams, nil
}

// List implements query.Storage.
func (s *Store) List(ctx context.Context, _ *query.Read, of []query.Shards, q *exec.ListRequest) (*exec.List, error) {
	all := new(exec.List)
	for _, p := range of {
		for _, sh := range s.shards(p) {
			list, err := runList(ctx, sh.source, q)
			if err != nil {
				return nil, err
			}
			all.Merge(list, q)
		}
	}
	return all, nil
}

// Delete implements query.Storage.
func (s *Store) Delete(_ context.Context, of []query.Shards, d *model.Delete) error {
	for _, sh := range of {
		p := place{sh.Database, sh.Policy}
		s.rows[p] = slices.DeleteFunc(s.rows[p], func(r exectest.Row) bool {
			return d.Range.Contains(r.Time) && d.Where.Holds(r.Measurement, r.Tags)
		})
	}
	return nil
}

// Databases implements query.Catalog.
func (s *Store) Databases(context.Context) ([]*query.Database, error) { return s.dbs, nil }

// Database implements query.Catalog.
func (s *Store) Database(_ context.Context, name string) (*query.Database, error) {
	for _, db := range s.dbs {
		if db.Name == name {
			return db, nil
		}
	}
	return nil, &model.Error{Kind: model.ErrNotFound, Text: "database not found: " + name}
}

// Policy implements query.Catalog.
func (s *Store) Policy(ctx context.Context, database, policy string) (query.Policy, error) {
	db, err := s.Database(ctx, database)
	if err != nil {
		return query.Policy{}, err
	}
	p, ok := db.Policy(policy)
	if !ok {
		return query.Policy{}, &model.Error{Kind: model.ErrNotFound, Text: "retention policy not found: " + policy}
	}
	return p, nil
}

// CreateDatabase implements query.Catalog.
func (s *Store) CreateDatabase(ctx context.Context, name string, policy *query.PolicySpec) error {
	if _, err := s.Database(ctx, name); err == nil {
		return nil
	}
	if policy == nil {
		policy = &query.PolicySpec{Name: "autogen"}
	}
	s.dbs = append(s.dbs, &query.Database{Name: name})
	slices.SortFunc(s.dbs, func(a, b *query.Database) int { return cmp.Compare(a.Name, b.Name) })
	return s.CreatePolicy(ctx, name, *policy, true)
}

// DropDatabase implements query.Catalog.
func (s *Store) DropDatabase(_ context.Context, name string) error {
	delete(s.continuous, name)
	delete(s.subscriptions, name)
	s.dbs = slices.DeleteFunc(s.dbs, func(db *query.Database) bool { return db.Name == name })
	for p := range s.rows {
		if p.database == name {
			delete(s.rows, p)
		}
	}
	return nil
}

// CreatePolicy implements query.Catalog.
func (s *Store) CreatePolicy(ctx context.Context, database string, spec query.PolicySpec, makeDefault bool) error {
	db, err := s.Database(ctx, database)
	if err != nil {
		return err
	}
	p := query.Policy{Name: spec.Name, ShardDuration: 7 * 24 * time.Hour, Replication: 1}
	if spec.Duration != nil {
		p.Duration = *spec.Duration
	}
	db.Policies = append(db.Policies, p)
	if makeDefault {
		db.DefaultPolicy = p.Name
	}
	return nil
}

// AlterPolicy implements query.Catalog.
func (s *Store) AlterPolicy(ctx context.Context, database, policy string, c query.PolicyChange) error {
	db, err := s.Database(ctx, database)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(db.Policies, func(p query.Policy) bool { return p.Name == policy })
	if i < 0 {
		return fmt.Errorf("retention policy not found: %s: %w", policy, model.ErrNotFound)
	}
	if c.Duration != nil {
		db.Policies[i].Duration = *c.Duration
	}
	if c.MakeDefault {
		db.DefaultPolicy = policy
	}
	return nil
}

// DropPolicy implements query.Catalog.
func (s *Store) DropPolicy(ctx context.Context, database, policy string) error {
	db, err := s.Database(ctx, database)
	if err != nil {
		return err
	}
	db.Policies = slices.DeleteFunc(db.Policies, func(p query.Policy) bool { return p.Name == policy })
	delete(s.rows, place{database, policy})
	return nil
}
