package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/varvedb/varve/coordinator/subscriber"
	"github.com/varvedb/varve/internal/hlc"
	"github.com/varvedb/varve/internal/pace"
	"github.com/varvedb/varve/internal/tracing"
	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// WriteRequest is the rows of one request for one retention policy.
type WriteRequest struct {
	User     string // whose limits of series hold besides the database's; "": nobody's
	Database string
	Policy   string // "": the database's default
	// Batch has the key of every series.
	Batch *model.Batch
	Level Level
	// Joined says that a row of Batch may stand for several points. When one
	// would have to be refused, nothing is stored and Write gives ErrJoined.
	Joined bool
	// Release, when set, is called once when nothing reads Batch any more. That
	// may be after Write has returned: an owner may still be at work.
	Release func()
}

// ErrJoined says that points must not be joined to rows: some are to be refused,
// and the client is told how many.
var ErrJoined = errors.New("rows that stand for several points would be refused")

// Writer distributes writes and deletes. It is safe for concurrent use.
type Writer struct {
	cfg      Config
	meta     *meta.Store
	peers    Peers
	log      *slog.Logger
	metrics  *metrics
	stamps   *stamps
	clockOff func() error // nil: the clock is trusted
	tasks    tasks        // what goes on after the answer to a client
	budgets  budgets
	keyless  keyless
	rooms    rooms
	refusals *pace.Lines // of trouble that comes with each batch
	parked   *parked     // nil: nothing is parked

	subscribers *subscriber.Service // nil: they get nothing
}

// NewWriter gives a Writer. The batches that it stamps come from the node
// peers.Local. reg may be nil.
func NewWriter(cfg Config, store *meta.Store, clock *hlc.Clock, peers Peers, log *slog.Logger, reg prometheus.Registerer) (*Writer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	stamps, err := newStamps(clock, peers.Local())
	if err != nil {
		return nil, err
	}
	return &Writer{
		cfg: cfg, meta: store, peers: peers, log: log, metrics: newMetrics(reg), stamps: stamps,
		budgets: budgets{limit: cfg.PeerBytes}, refusals: pace.NewLines(log, 1, time.Second),
	}, nil
}

// CheckClock sets what says that the clock of this node cannot be trusted;
// nothing is stamped then. It is called before the first write.
func (w *Writer) CheckClock(off func() error) { w.clockOff = off }

// CopyTo sets who gets copies of what is written. It is called before the first
// write.
func (w *Writer) CopyTo(s *subscriber.Service) { w.subscribers = s }

// Close ends the delivery of parked batches and waits until no owner is at work
// for a write. Later writes fail. It is safe to call twice.
func (w *Writer) Close() {
	if w.parked != nil {
		w.parked.stop()
	}
	w.tasks.wait()
}

// Write stores the rows of r and returns when r.Level is met for each of the
// shards they belong to. It takes over r.Batch.
//
// A *PartialWriteError says that all rows but those refused for their content
// were stored. ErrJoined asks for the same points again, a row for each.
// model.ErrNotFound names a database that does not exist for
// certain, ErrPolicyNotFound a retention policy, model.ErrTooLarge says that
// the rows are spread too far. Every other error passes by itself and is of
// kind model.ErrUnavailable or model.ErrOverloaded; rows may have been stored
// then.
//
// A write goes on when the client has gone, since half of it may be stored.
func (w *Writer) Write(ctx context.Context, r WriteRequest) error {
	hold := newHold(r.Release)
	defer hold.release()
	if r.Database == "" {
		return &model.Error{Kind: model.ErrInvalid, Text: "database is required"}
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), w.cfg.WriteTimeout, errTimeout)
	defer cancel()
	start := time.Now()
	rows := r.Batch.Rows()
	ctx, span := tracing.Start(ctx, "write")
	span.Text("db.namespace", func() string { return r.Database })
	span.Int("rows", rows)
	refused, err := w.write(ctx, r, hold)
	span.End(err)
	if errors.Is(err, ErrJoined) {
		return err // it comes again
	}
	w.metrics.seconds.Observe(time.Since(start).Seconds())
	w.metrics.wrote(rows, refused.count, err)
	switch {
	case err != nil:
		return err
	case refused.count > 0:
		return &PartialWriteError{Reason: refused.reason, Dropped: refused.count}
	}
	return nil
}

func (w *Writer) write(ctx context.Context, r WriteRequest, hold *hold) (refusal, error) {
	policy, err := w.policy(ctx, r.Database, r.Policy)
	if err != nil || r.Batch.Rows() == 0 {
		return refusal{}, err
	}
	parts, late, err := w.split(ctx, policy, r.Batch)
	if err != nil {
		return refusal{}, err
	}
	if r.Joined && late.count > 0 {
		return refusal{}, ErrJoined
	}
	// The schema of every part before the first is sent: a part that is refused
	// for a reason that passes should leave nothing behind.
	if err := eachPart(parts, func(p *part) error { return w.limit(ctx, r, p) }); err != nil {
		return refusal{}, err
	}
	if len(parts) > 1 || len(parts) == 1 && parts[0].batch != nil && len(parts[0].batch.Tables) > 1 {
		if err := w.announce(ctx, parts); err != nil {
			return refusal{}, passing(ctx, err)
		}
	}
	if err := eachPart(parts, func(p *part) error {
		conflicts, err := w.agree(ctx, p, r.Joined)
		p.refused.add(conflicts)
		return err
	}); err != nil {
		return refusal{}, err
	}
	var refused refusal
	for i := range parts {
		refused.add(parts[i].refused)
	}
	refused.add(late)
	if err := w.sendAll(ctx, parts, r.Level, hold); err != nil {
		return refused, err
	}
	if len(policy.Subscriptions) > 0 && w.subscribers != nil {
		for i := range parts {
			if parts[i].batch != nil {
				w.subscribers.Publish(r.Database, policy, parts[i].batch)
			}
		}
	}
	return refused, nil
}

// limit takes out of a part the rows of series that are too many.
func (w *Writer) limit(ctx context.Context, r WriteRequest, p *part) error {
	p.refused.add(w.limitSeries(ctx, r.User, p))
	if r.Joined && p.refused.count > 0 {
		return ErrJoined
	}
	return nil
}

// policy resolves the names of a request.
func (w *Writer) policy(ctx context.Context, database, policy string) (*meta.Policy, error) {
	_, p, err := w.meta.Policy(ctx, database, policy)
	switch {
	case err == nil:
		return p, nil
	case !errors.Is(err, model.ErrNotFound):
		return nil, passing(ctx, err)
	case w.meta.Snapshot().Database(database) == nil:
		return nil, databaseNotFound(database)
	}
	if policy == "" {
		policy = w.meta.Snapshot().Database(database).DefaultPolicy
	}
	return nil, policyNotFound(policy)
}

// sendAll stamps the parts and sends each to the owners of its shard.
func (w *Writer) sendAll(ctx context.Context, parts []part, level Level, hold *hold) error {
	if level == Default {
		level = w.cfg.Level
	}
	send := func(p part) error {
		for _, piece := range p.pieces(maxPartBytes) {
			if err := w.send(ctx, &piece, level, hold); err != nil {
				return err
			}
		}
		return nil
	}
	if len(parts) == 1 {
		return send(parts[0])
	}
	var g errgroup.Group
	g.SetLimit(partsAtOnce)
	for i := range parts {
		if parts[i].batch != nil {
			g.Go(func() error { return send(parts[i]) })
		}
	}
	return g.Wait()
}

// partsAtOnce bounds the shards that one write works on at a time.
const partsAtOnce = 16

// eachPart calls f for all parts, for several at a time: what they wait for, as
// syncs of etcd, is shared then. After an error f is not called for others.
func eachPart(parts []part, f func(*part) error) error {
	if len(parts) == 1 {
		return f(&parts[0])
	}
	g, failed := errgroup.WithContext(context.Background())
	g.SetLimit(partsAtOnce)
	for i := range parts {
		if failed.Err() != nil {
			break
		}
		g.Go(func() error { return f(&parts[i]) })
	}
	return g.Wait()
}

// refusal counts rows that are not stored for their content.
type refusal struct {
	count  int
	reason string // of the first
}

func (r *refusal) add(o refusal) {
	r.count += o.count
	if r.reason == "" {
		r.reason = o.reason
	}
}

// hold calls a function when the last of those who hold it releases it.
type hold struct {
	holders atomic.Int64
	done    func()
}

// newHold gives a hold with one holder. done may be nil.
func newHold(done func()) *hold {
	h := &hold{done: done}
	h.holders.Store(1)
	return h
}

func (h *hold) take() { h.holders.Add(1) }

func (h *hold) release() {
	if h.holders.Add(-1) == 0 && h.done != nil {
		h.done()
	}
}
