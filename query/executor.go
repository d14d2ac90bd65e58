package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/influxdata/influxql"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/internal/tracing"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query/exec"
	"github.com/varvedb/varve/query/memory"
	"github.com/varvedb/varve/query/plan"
)

// errNotExecuted is the result of the statements after one that failed.
var errNotExecuted = &model.Error{Kind: model.ErrInvalid, Text: "not executed"}

// Executor runs requests. It is safe for concurrent use.
type Executor struct {
	cfg        Config
	catalog    Catalog
	storage    Storage
	log        *slog.Logger
	metrics    *metrics
	running    running
	reclaim    reclaimer
	admit      *admission
	continuous *admission   // of continuous queries
	quotas     Quotas       // nil: nobody has any
	memory     *memory.Pool // nil: without a bound
	nodes      Nodes        // nil: there is only this one
	monitor    Monitor
	writer     Writer      // nil: there is no SELECT INTO
	audit      Audit       // nil: nobody asks
	lines      *pace.Lines // of the query log
}

// New gives an Executor. reg may be nil.
func New(cfg Config, catalog Catalog, storage Storage, log *slog.Logger, reg prometheus.Registerer) (*Executor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := newMetrics(reg)
	return &Executor{
		cfg:        cfg,
		catalog:    catalog,
		storage:    storage,
		log:        log,
		metrics:    m,
		admit:      newAdmission(cfg.Concurrent, cfg.Queue, m),
		continuous: newAdmission(max(1, cfg.Concurrent/2), cfg.Queue, m),
		lines:      pace.NewLines(log, logLinesASecond, time.Second),
	}, nil
}

// Query is a request that was parsed. It is run once.
type Query struct {
	req        Request
	statements influxql.Statements
	text       string  // of statements that were made; "" where they were parsed
	points     *Points // what the one statement stands for, or nil
}

// Parse checks and parses a request, and decides whether who asks may run it. An
// error means that nothing of the request can be run: model.ErrInvalid, or
// model.ErrForbidden.
func (e *Executor) Parse(req Request) (*Query, error) {
	req.Extensions = req.Extensions || e.cfg.Extensions
	q, err := req.parse()
	if err != nil {
		return nil, err
	}
	if err := e.allow(&req, q.Statements); err != nil {
		return nil, err
	}
	return &Query{req: req, statements: q.Statements}, nil
}

// Share has statements take their memory from a pool that others draw on, too.
// It is called before the first request.
func (e *Executor) Share(p *memory.Pool) { e.memory = p }

// Concurrent gives how many requests run at a time.
func (e *Executor) Concurrent() int { return e.cfg.Concurrent }

// Execute runs q and gives its results to sink. Statements that fail are
// results, too: an error means that the results are not complete, because
// nothing could be started (model.ErrOverloaded), ctx ended or sink failed.
func (e *Executor) Execute(ctx context.Context, q *Query, sink Sink) error {
	start := time.Now()
	done := 0 // statements that were run and recorded
	defer func() {
		for _, stmt := range q.statements[done:] {
			e.record(&q.req, stmt, errNotExecuted)
		}
	}()
	client, heap := ctx, heapBytes()
	ctx, task := e.running.add(ctx, q, start)
	watch := e.watch(task)
	defer func() {
		watch.stop()
		e.logSlow(task)
		e.running.remove(task)
		if task.ended() != nil || client.Err() != nil {
			e.reclaim.after(time.Now(), heap)
		}
	}()
	var turn turn
	if !q.quick() {
		var err error
		turn, err = e.enter(ctx, q)
		defer turn.leave()
		if err != nil && task.ended() == nil {
			return err
		}
		watch.admitted(turn.slot)
	}
	e.metrics.active.Inc()
	defer func() {
		e.metrics.active.Dec()
		e.metrics.seconds.Observe(time.Since(start).Seconds())
	}()
	if q.req.Now.IsZero() {
		q.req.Now = start
	}
	failed := false
	for i, stmt := range q.statements {
		if failed {
			if err := skip(i, sink); err != nil {
				return err
			}
			continue
		}
		run := &statementRun{
			executor: e, req: &q.req, points: q.points, id: i, sink: sink, watch: watch, pools: turn.memory,
			read: &Read{Consistency: q.req.Consistency, Partial: q.req.Partial},
		}
		done = i + 1
		err := run.answer(ctx, stmt, task)
		if err != nil {
			return err
		}
		failed = run.failed
	}
	return nil
}

func skip(id int, sink Sink) error {
	if err := sink.Begin(Statement{ID: id}); err != nil {
		return err
	}
	return sink.End(Outcome{Err: errNotExecuted})
}

// quick reports whether q does not wait for other requests. An operator must be
// able to see and end what runs when everything is busy, and what only asks for
// databases and policies or makes them is done at once: clients do it before
// they write, and clients that are slow to take their answers could delay it by
// minutes.
func (q *Query) quick() bool {
	for _, s := range q.statements {
		switch s.(type) {
		case *influxql.ShowQueriesStatement, *influxql.KillQueryStatement,
			*influxql.ShowStatsStatement, *influxql.ShowDiagnosticsStatement,
			*influxql.ShowDatabasesStatement, *influxql.ShowRetentionPoliciesStatement,
			*influxql.ShowContinuousQueriesStatement, *influxql.ShowSubscriptionsStatement, *influxql.ShowUsersStatement, *influxql.ShowGrantsForUserStatement,
			*influxql.ShowShardsStatement, *influxql.ShowShardGroupsStatement,
			*influxql.CreateDatabaseStatement, *influxql.CreateRetentionPolicyStatement, *influxql.AlterRetentionPolicyStatement:
		default:
			return false
		}
	}
	return true
}

// statementRun is one statement while it runs.
type statementRun struct {
	executor *Executor
	req      *Request
	points   *Points // see Query
	id       int
	sink     Sink
	read     *Read
	watch    *watch
	pools    []*memory.Pool // that it draws on besides the node's
	begun    bool
	failed   bool
	sinkErr  error // what the sink said; ends the request
	messages []Message
}

// answer runs a statement and ends its result. An error ends the request.
func (r *statementRun) answer(ctx context.Context, stmt influxql.Statement, task *task) error {
	err := task.ended()
	if err == nil {
		budget := r.executor.memory.Budget(int64(cmp.Or(r.executor.cfg.MaxBytes, plan.DefaultMaxBytes)), r.pools...)
		defer budget.Close()
		task.budget.Store(budget)
		start := time.Now()
		traced, span := tracing.Start(memory.NewContext(ctx, budget), "statement")
		span.Text("db.query.text", func() string { return loggable(stmt.String()) })
		err = r.do(exec.WithTally(traced, &task.read), stmt)
		span.Int("rows", int(task.answered.Load()))
		span.Int("points", int(task.read.Rows.Load()))
		span.End(err)
		r.executor.logStatement(task, r.id, stmt, time.Since(start), err)
	}
	r.executor.record(r.req, stmt, err)
	if r.sinkErr != nil {
		return r.sinkErr
	}
	if ended := task.ended(); ended != nil {
		err = ended
	} else if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !r.begun {
		if err := r.sink.Begin(Statement{ID: r.id}); err != nil {
			return err
		}
	}
	metrics := r.executor.metrics
	outcome := "ok"
	if err != nil {
		r.failed, outcome = true, "error"
	}
	metrics.statements.WithLabelValues(outcome).Inc()
	end := Outcome{Messages: r.messages, Err: err}
	for _, text := range r.read.Lacking() {
		end.Partial = true
		end.Messages = append(end.Messages, Message{Level: "warning", Text: text})
	}
	if end.Partial {
		metrics.partial.Inc()
	}
	return r.watch.give(func() error { return r.sink.End(end) })
}

// do runs a statement and turns a panic into an error: a fault in one query
// must not end the process, and with it the queries and writes of others.
func (r *statementRun) do(ctx context.Context, stmt influxql.Statement) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = r.panicked(stmt, p, debug.Stack())
		}
	}()
	err = r.dispatch(ctx, stmt)
	if p := (*exec.PanicError)(nil); errors.As(err, &p) {
		return r.panicked(stmt, p.Value, p.Stack)
	}
	return err
}

// panicked counts and logs a panic, and gives what the client is told of it.
func (r *statementRun) panicked(stmt influxql.Statement, value any, stack []byte) error {
	r.executor.metrics.panics.Inc()
	r.executor.log.Error("statement panicked", "panic", fmt.Sprint(value), "statement", fmt.Sprintf("%T", stmt), "stack", string(stack))
	return errors.New("internal error: the statement failed, the server's log says more")
}

func (r *statementRun) dispatch(ctx context.Context, stmt influxql.Statement) error {
	switch stmt := stmt.(type) {
	case *influxql.SelectStatement:
		if p := r.points; p != nil {
			return r.readPoints(ctx, stmt, p)
		}
		return r.selectRows(ctx, stmt)
	case *influxql.ExplainStatement:
		return r.explain(ctx, stmt)
	case *influxql.ShowDatabasesStatement:
		return r.showDatabases(ctx)
	case *influxql.ShowRetentionPoliciesStatement:
		return r.showPolicies(ctx, stmt)
	case *influxql.ShowMeasurementsStatement:
		return r.showMeasurements(ctx, stmt)
	case *influxql.ShowSeriesStatement:
		return r.showSeries(ctx, stmt)
	case *influxql.ShowTagKeysStatement:
		return r.showTagKeys(ctx, stmt)
	case *influxql.ShowTagValuesStatement:
		return r.showTagValues(ctx, stmt)
	case *influxql.ShowFieldKeysStatement:
		return r.showFieldKeys(ctx, stmt)
	case *influxql.ShowContinuousQueriesStatement:
		return r.showContinuousQueries(ctx)
	case *influxql.ShowSubscriptionsStatement:
		return r.showSubscriptions(ctx)
	case *influxql.ShowShardsStatement:
		return r.showShards(ctx)
	case *influxql.ShowShardGroupsStatement:
		return r.showShardGroups(ctx)
	case *influxql.ShowUsersStatement:
		return r.showUsers(ctx)
	case *influxql.ShowGrantsForUserStatement:
		return r.showGrants(ctx, stmt)
	case *influxql.ShowStatsStatement:
		return r.showStats(ctx, stmt)
	case *influxql.ShowDiagnosticsStatement:
		return r.showDiagnostics(stmt)
	case *influxql.ShowQueriesStatement:
		return r.showQueries(ctx)
	case *influxql.KillQueryStatement:
		return r.killQuery(ctx, stmt)
	case *influxql.DeleteSeriesStatement:
		return r.deleteSeries(ctx, stmt)
	}
	if c, err := cardinalityOf(stmt); c != nil {
		if err != nil {
			return err
		}
		return r.showCardinality(ctx, c)
	}
	change := r.change(stmt)
	if change == nil {
		change = r.changeUsers(stmt)
	}
	if change != nil {
		if err := change(ctx); err != nil {
			return err
		}
		r.warnReadOnly(stmt)
		return nil
	}
	return notSupported(nameOf(stmt))
}

// warnReadOnly adds the remark on a statement that changes something where it
// should not come.
func (r *statementRun) warnReadOnly(stmt influxql.Statement) {
	if r.req.ReadOnly {
		r.messages = append(r.messages, Message{
			Level: "warning",
			Text:  fmt.Sprintf("deprecated use of '%s' in a read only context, please use a POST request instead", printed(stmt)),
		})
	}
}

// begin tells the sink that the result begins, once.
func (r *statementRun) begin(s Statement) error {
	if r.begun {
		return nil
	}
	r.begun = true
	s.ID = r.id
	s.Ended = r.watch.task.ended
	r.sinkErr = r.sink.Begin(s)
	return r.sinkErr
}

func notSupported(what string) error {
	return &model.Error{Kind: model.ErrNotSupported, Text: what + " is not supported yet"}
}

// statementWords are the keywords that name statements.
var statementWords = map[string]bool{
	"SHOW": true, "CREATE": true, "DROP": true, "SET": true, "GRANT": true, "REVOKE": true, "EXPLAIN": true, "ANALYZE": true,
	"TAG": true, "FIELD": true, "KEY": true, "KEYS": true, "VALUES": true, "SERIES": true, "MEASUREMENT": true, "EXACT": true, "CARDINALITY": true,
	"CONTINUOUS": true, "QUERY": true, "QUERIES": true, "SUBSCRIPTION": true, "SUBSCRIPTIONS": true,
	"USER": true, "USERS": true, "GRANTS": true, "PASSWORD": true, "SHARD": true, "SHARDS": true, "GROUPS": true, "STATS": true, "DIAGNOSTICS": true,
}

// nameOf gives the words that name a statement.
func nameOf(stmt influxql.Statement) string {
	words := strings.Fields(stmt.String())
	n := 0
	for n < len(words) && statementWords[words[n]] {
		n++
	}
	return strings.Join(words[:n], " ")
}
