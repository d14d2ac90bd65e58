package continuous

import (
	"context"
	"errors"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
)

const (
	// maxWindows bounds the windows that one run makes up for: a run is to take
	// seconds, and others wait meanwhile.
	maxWindows = 1_000
	// A run that fails for a reason that may pass is tried again after firstPause,
	// then after twice that, and so on up to longestPause.
	firstPause   = time.Second
	longestPause = time.Minute
)

// job is a continuous query as its runner knows it. Only the goroutine of Run
// touches it.
type job struct {
	database string
	query    *meta.ContinuousQuery
	text     *query.ContinuousSelect // nil: it cannot be run, see Failure
	schedule schedule

	progress meta.Progress // Until is the mark
	known    bool          // progress is, the query has run before
	dirty    bool          // progress is to be kept

	cancel   context.CancelFunc // of the run; nil: it does not run
	started  time.Time          // of the last run
	windows  int                // that one run makes up for
	failures int                // since the last success
	after    time.Time          // it is not tried before
}

// newJob gives the job of a query with what is kept of it; a query that has not
// run has the zero Progress.
func newJob(database string, q *meta.ContinuousQuery, p meta.Progress) *job {
	j := &job{database: database, query: q, progress: p, known: p.Until != 0, windows: maxWindows}
	j.progress.Query = q.UID
	text, err := query.ParseContinuous(database, q.Text)
	if err != nil {
		j.dirty = j.progress.Failure != err.Error()
		j.progress.Failure = err.Error()
		return j
	}
	j.text, j.schedule = text, newSchedule(text)
	return j
}

// due gives when the query is to run.
func (j *job) due(now time.Time) int64 {
	if !j.known {
		return now.UnixNano()
	}
	return j.schedule.next(j.progress.Until)
}

// lag gives for how long the query has been due.
func (j *job) lag(now time.Time) time.Duration {
	if j.text == nil {
		return 0
	}
	return time.Duration(max(0, now.UnixNano()-j.due(now)))
}

// ready reports whether the query is to be run now.
func (j *job) ready(now time.Time) bool {
	return j.text != nil && j.cancel == nil && !now.Before(j.after) && j.due(now) <= now.UnixNano()
}

// skip leaves out what the target would not take any more: it keeps points for
// so long, 0 is for ever.
func (j *job) skip(now time.Time, keeps time.Duration) {
	if !j.known || keeps == 0 {
		return
	}
	oldest := now.Add(-keeps).UnixNano()
	if j.progress.Until >= oldest {
		return
	}
	j.progress.Until = min(j.schedule.next(oldest), j.schedule.mark(now.UnixNano()))
	j.dirty = true
}

// plan gives the run that is due.
func (j *job) plan(now time.Time) *run {
	next := j.due(now)
	at := now.UnixNano()
	if j.known {
		at = j.schedule.until(next, at, j.windows-1)
	}
	return &run{
		job: j, over: j.schedule.covers(next, at), mark: j.schedule.mark(at), started: now,
		narrow: j.schedule.mark(at) <= j.schedule.mark(next),
	}
}

// finish takes up what became of a run.
//
// What is refused for its content would be refused again, so it is left behind,
// as in InfluxDB; but first a run over many windows is tried over fewer, so that
// one bad window does not cost the others. Everything else is tried until it
// works: a target that is missing may be made, a node come back.
func (j *job) finish(r *run, now time.Time) {
	j.cancel = nil
	if r.canceled {
		return
	}
	j.dirty = true
	j.progress.Ran = r.started
	j.progress.Points += uint64(r.points)
	if r.err == nil {
		j.done(r, "")
		j.windows = min(2*j.windows, maxWindows)
		return
	}
	refused := errors.Is(r.err, model.ErrInvalid) || errors.Is(r.err, model.ErrTooLarge)
	late := errors.Is(r.err, context.DeadlineExceeded)
	switch {
	case (refused || late) && !r.narrow:
		j.progress.Failure = r.err.Error()
		j.windows = max(1, j.windows/4)
	case refused:
		j.done(r, r.err.Error())
	default:
		j.progress.Failure = r.err.Error()
		j.windows = max(1, j.windows/2) // there may be memory for fewer
		j.after = now.Add(min(firstPause<<min(j.failures, 6), longestPause))
		j.failures++
	}
}

// done moves the mark.
func (j *job) done(r *run, failure string) {
	j.progress.Until, j.known, j.failures = r.mark, true, 0
	j.progress.Failure = failure
}
