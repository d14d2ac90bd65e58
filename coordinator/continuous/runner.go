package continuous

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

const (
	leaseName = "continuous_querier"

	// A runner that stops without a word is replaced after leaseTTL. Three
	// renewals fit into it.
	leaseTTL   = 15 * time.Second
	renewEvery = 5 * time.Second

	// mostSlots is how many queries run at a time: one that takes long must not
	// hold up all others. At least half of the requests that a node runs at a
	// time are left to clients.
	mostSlots = 4
	// runTimeout bounds one run. It is then tried over fewer windows.
	runTimeout = 10 * time.Minute
)

// Runner is this node's part in the election, and what it does once elected.
type Runner struct {
	store   *meta.Store
	queries *query.Executor
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	slots   int // queries that run at a time

	term    *term     // nil while another node has the lease
	tried   time.Time // when the lease was tried for, or renewed
	ended   chan *run // has room for all that run
	unsaved bool      // it was logged that progress cannot be kept
}

// New gives a Runner. reg may be nil.
func New(store *meta.Store, queries *query.Executor, cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Runner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	slots := max(1, min(mostSlots, queries.Concurrent()/2))
	return &Runner{store: store, queries: queries, cfg: cfg, log: log, metrics: newMetrics(reg), slots: slots, ended: make(chan *run, slots)}, nil
}

// Run takes part until ctx ends, and gives the lease back then. It is called
// once.
func (r *Runner) Run(ctx context.Context) {
	defer r.resign(context.WithoutCancel(ctx))
	tick := time.NewTicker(r.cfg.RunInterval)
	defer tick.Stop()
	for {
		if r.lead(ctx) {
			r.sync()
			r.start()
			r.save(ctx)
		}
		select {
		case <-tick.C:
		case run := <-r.ended:
			r.finish(run)
		case <-ctx.Done():
			return
		}
	}
}

// lead reports whether this node is the runner: it renews the lease or tries to
// get it when it is time to.
func (r *Runner) lead(ctx context.Context) bool {
	now := time.Now()
	if now.Sub(r.tried) < renewEvery {
		return r.term != nil && r.term.guard() == nil
	}
	if r.term == nil {
		if !needed(r.store.Snapshot()) {
			return false // nobody needs a runner
		}
		r.tried = now
		return r.stand(ctx, now)
	}
	r.tried = now
	err := r.term.lease.Renew(ctx)
	if err == nil {
		until := now.Add(leaseTTL)
		r.term.until.Store(&until)
		return true
	}
	// One renewal that gets no answer is not the end of the lease.
	if err := r.term.guard(); err == nil && ctx.Err() == nil {
		return true
	}
	r.depose(err)
	return false
}

// needed reports whether there are continuous queries.
func needed(s *meta.Snapshot) bool {
	return slices.ContainsFunc(s.Databases(), func(d *meta.Database) bool { return len(s.ContinuousQueries(d.UID)) > 0 })
}

// stand tries to get the lease.
func (r *Runner) stand(ctx context.Context, now time.Time) bool {
	lease, err := r.store.Acquire(ctx, leaseName, leaseTTL)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, model.ErrConflict) {
			r.log.Warn("cannot stand for runner of continuous queries", "error", err)
		}
		return false
	}
	progress, err := r.store.Progress(ctx)
	if err != nil {
		r.log.Warn("cannot read how far continuous queries have come", "error", err)
		r.release(ctx, lease)
		return false
	}
	t := &term{lease: lease, kept: progress, jobs: map[uint64]*job{}}
	until := now.Add(leaseTTL)
	t.until.Store(&until)
	t.ctx, t.cancel = context.WithCancel(ctx)
	r.term = t
	r.metrics.leading.Set(1)
	r.log.Info("became runner of the cluster's continuous queries")
	return true
}

func (r *Runner) release(ctx context.Context, lease *meta.Lease) {
	if err := lease.Release(ctx); err != nil {
		r.log.Warn("cannot give back the lease of continuous queries, it ends by itself", "error", err)
	}
}

// depose ends the term, which another node has now.
func (r *Runner) depose(why error) {
	r.stop()
	r.log.Info("no longer runner of the cluster's continuous queries", "why", why)
}

// stop ends all runs and forgets the term.
func (r *Runner) stop() {
	t := r.term
	t.cancel()
	for ; t.active > 0; t.active-- {
		<-r.ended
	}
	r.term = nil
	r.metrics.rest()
}

func (r *Runner) resign(ctx context.Context) {
	if r.term == nil {
		return
	}
	lease := r.term.lease
	r.stop()
	r.release(ctx, lease)
}

func (r *Runner) add(j *job) {
	r.term.jobs[j.query.UID] = j
	if j.text == nil {
		r.log.Warn("continuous query cannot be run", "name", j.query.Name, "db_instance", j.database, "query", j.query.Text, "error", j.progress.Failure)
	}
}

// sync takes up queries that are new to the term, and ends those that were
// dropped.
func (r *Runner) sync() {
	s := r.store.Snapshot()
	there := make(map[uint64]bool, len(r.term.jobs))
	for _, d := range s.Databases() {
		for _, q := range s.ContinuousQueries(d.UID) {
			there[q.UID] = true
			if r.term.jobs[q.UID] == nil {
				r.add(newJob(d.Name, q, r.term.kept[q.UID]))
			}
		}
	}
	for uid, j := range r.term.jobs {
		if there[uid] {
			continue
		}
		if j.cancel != nil {
			j.cancel()
		}
		delete(r.term.jobs, uid)
		r.metrics.forget(j)
	}
}

// start runs what is due, those first that have waited longest for their turn:
// a query that makes up for a long time is not to be the only one that runs.
func (r *Runner) start() {
	now := time.Now()
	var ready []*job
	for _, j := range r.term.jobs {
		r.metrics.lag.WithLabelValues(j.database, j.query.Name).Set(j.lag(now).Seconds())
		if j.ready(now) {
			ready = append(ready, j)
		}
	}
	slices.SortFunc(ready, func(a, b *job) int {
		return cmp.Or(a.started.Compare(b.started), cmp.Compare(a.query.UID, b.query.UID))
	})
	for _, j := range ready {
		if r.term.active == r.slots {
			return
		}
		if j.skip(now, r.keeps(j)); !j.ready(now) {
			continue
		}
		next := j.plan(now)
		if next.over.Empty() {
			j.dirty = j.dirty || !j.known || j.progress.Until != next.mark
			j.done(next, j.progress.Failure)
			continue
		}
		r.begin(j, next)
	}
}

// keeps gives for how long the target of a query keeps points; 0 is for ever.
func (r *Runner) keeps(j *job) time.Duration {
	d := r.store.Snapshot().Database(cmp.Or(j.text.Database, j.database))
	if d == nil {
		return 0
	}
	p := d.Policy(j.text.Policy)
	if p == nil {
		return 0
	}
	return p.Duration
}

// begin starts a run.
func (r *Runner) begin(j *job, next *run) {
	ctx, cancel := context.WithTimeout(r.term.ctx, runTimeout)
	j.cancel, j.started = cancel, next.started
	r.term.active++
	r.metrics.running.Set(float64(r.term.active))
	facts := []any{"name", j.query.Name, "db_instance", j.database, "start", time.Unix(0, next.over.Min).UTC(), "end", time.Unix(0, next.over.Max+1).UTC()}
	text, guard := j.text, r.term.guard
	if r.cfg.LogEnabled {
		r.log.Info("Executing continuous query", facts...)
	}
	go func() {
		defer cancel()
		next.points, next.err = r.execute(ctx, text, next.over, guard)
		next.took = time.Since(next.started)
		next.canceled = errors.Is(ctx.Err(), context.Canceled) || errors.Is(next.err, meta.ErrDeposed)
		if r.cfg.LogEnabled && next.err == nil {
			r.log.Info("Finished continuous query", append(facts, "written", next.points, "duration", next.took)...)
		}
		r.ended <- next
	}()
}

// execute runs a query over a range and gives how many points it wrote.
func (r *Runner) execute(ctx context.Context, text *query.ContinuousSelect, over model.TimeRange, guard func() error) (int64, error) {
	q, err := text.Over(over, guard)
	if err != nil {
		return 0, err
	}
	var w query.Written
	if err := r.queries.Execute(ctx, q, &w); err != nil {
		return 0, err
	}
	return w.Points, w.Err
}

// finish takes up what became of a run.
func (r *Runner) finish(done *run) {
	j := done.job
	r.term.active--
	r.metrics.running.Set(float64(r.term.active))
	j.finish(done, time.Now())
	if done.canceled || r.term.jobs[j.query.UID] != j {
		return
	}
	outcome := "ok"
	if done.err != nil {
		outcome = "error"
		r.log.Info("Error executing query", "name", j.query.Name, "db_instance", j.database, "query", j.query.Text, "error", done.err)
	}
	r.metrics.seconds.Observe(done.took.Seconds())
	r.metrics.runs.WithLabelValues(j.database, j.query.Name, outcome).Inc()
	r.metrics.points.WithLabelValues(j.database, j.query.Name).Add(float64(done.points))
	r.metrics.last.WithLabelValues(j.database, j.query.Name).Set(float64(done.started.UnixNano()) / 1e9)
}

// save keeps how far queries have come. What cannot be kept now is kept later:
// the queries go on, and would repeat what they did.
func (r *Runner) save(ctx context.Context) {
	var all []meta.Progress
	var dirty []*job
	for _, j := range r.term.jobs {
		if j.dirty {
			all, dirty = append(all, j.progress), append(dirty, j)
		}
	}
	if len(all) == 0 {
		return
	}
	err := r.store.SetProgress(ctx, r.term.lease.Fence(), all...)
	switch {
	case err == nil:
		for _, j := range dirty {
			j.dirty = false
		}
		r.unsaved = false
	case errors.Is(err, meta.ErrDeposed):
		r.depose(err)
	default:
		r.metrics.failures.Inc()
		if ctx.Err() == nil && !r.unsaved {
			r.unsaved = true
			r.log.Warn("cannot keep how far continuous queries have come, trying again", "error", err)
		}
	}
}
