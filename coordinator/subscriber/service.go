package subscriber

import (
	"context"
	"crypto/tls"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// drainTimeout is how long Close waits for what is in the queues to be sent.
const drainTimeout = 2 * time.Second

// Service sends copies of what this node writes. It is safe for concurrent use.
type Service struct {
	cfg     Config
	store   *meta.Store
	tls     *tls.Config
	guard   guard
	log     *slog.Logger
	metrics *metrics
	total   atomic.Int64 // bytes of all queues

	ctx    context.Context // of the senders
	cancel context.CancelFunc
	done   sync.WaitGroup // senders, and the watch
	ending chan struct{}  // closed by Close

	mu     sync.RWMutex // protects what is below
	lanes  map[place][]*lane
	of     map[place]*meta.Subscription // what they were made for
	closed bool
}

// place is a subscription's name and where it is.
type place struct {
	policy uint64
	name   string
}

// Open gives a Service. reg may be nil.
func Open(cfg Config, store *meta.Store, log *slog.Logger, reg prometheus.Registerer) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	secure, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, store: store, tls: secure, log: log,
		guard: guard{allow: cfg.Allow, own: net.InterfaceAddrs},
		lanes: map[place][]*lane{}, of: map[place]*meta.Subscription{}, ending: make(chan struct{}),
	}
	s.metrics = newMetrics(reg, func() float64 { return float64(s.total.Load()) })
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.done.Go(s.watch)
	return s, nil
}

// Close sends what is in the queues, as far as that is possible at once, and
// ends. It is safe to call twice.
func (s *Service) Close() {
	s.mu.Lock()
	if !s.closed {
		close(s.ending)
	}
	s.closed = true
	for _, lanes := range s.lanes {
		for _, l := range lanes {
			l.queue.close()
		}
	}
	clear(s.lanes)
	clear(s.of)
	s.mu.Unlock()
	timer := time.AfterFunc(drainTimeout, s.cancel)
	defer timer.Stop()
	s.done.Wait()
	s.cancel()
}

// end ends the queues of a subscription that was dropped, at once: they take of
// the room of the others.
func (s *Service) end(lanes []*lane) {
	for _, l := range lanes {
		l.end()
		s.metrics.forget(l.labels)
	}
}

// Publish sends copies of the rows of a batch, which were written to a policy.
// It does not wait, and does not keep the batch.
func (s *Service) Publish(database string, policy *meta.Policy, b *model.Batch) {
	var lanes []*lane
	for _, sub := range policy.Subscriptions {
		lanes = append(lanes, s.lanesOf(database, policy, sub)...)
	}
	if len(lanes) == 0 {
		return
	}
	s.metrics.batches.Inc()
	sent := make([]int, len(lanes)) // points
	encode(b, func(p *payload) bool {
		some := false
		for i, l := range lanes {
			if l.queue.add(p) {
				sent[i] += p.points()
				some = true
			}
		}
		return some // with all queues full the rest need not be written
	})
	for i, l := range lanes {
		l.drop(b.Rows()-sent[i], "full")
	}
}

// lanesOf gives the queues of a subscription, which are made when it is new.
func (s *Service) lanesOf(database string, policy *meta.Policy, sub *meta.Subscription) []*lane {
	at := place{policy.UID, sub.Name}
	s.mu.RLock()
	lanes, of := s.lanes[at], s.of[at]
	s.mu.RUnlock()
	if of != nil && same(of, sub) {
		return lanes
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if of := s.of[at]; s.closed || of != nil && same(of, sub) {
		return s.lanes[at]
	}
	if !exists(s.store.Snapshot(), database, policy.UID, sub) {
		return nil // dropped since the write began, and nobody would end its queues
	}
	s.end(s.lanes[at]) // it was dropped and made again
	s.lanes[at], s.of[at] = s.openLanes(database, policy.Name, sub), sub
	return s.lanes[at]
}

// exists reports whether a policy has a subscription.
func exists(now *meta.Snapshot, database string, policy uint64, sub *meta.Subscription) bool {
	d := now.Database(database)
	if d == nil {
		return false
	}
	return slices.ContainsFunc(d.Policies, func(p *meta.Policy) bool {
		return p.UID == policy && slices.ContainsFunc(p.Subscriptions, func(s *meta.Subscription) bool { return s.Name == sub.Name && same(s, sub) })
	})
}

// same reports whether a has the destinations of b.
func same(a, b *meta.Subscription) bool {
	return a == b || a.Mode == b.Mode && slices.Equal(a.Destinations, b.Destinations)
}

// openLanes makes the queues of a subscription and starts their senders.
func (s *Service) openLanes(database, policy string, sub *meta.Subscription) (lanes []*lane) {
	open := func(label string, urls ...string) {
		l := &lane{
			queue:   newQueue(s.cfg.TotalBufferBytes/4, &s.total, s.cfg.TotalBufferBytes),
			labels:  prometheus.Labels{"database": database, "policy": policy, "subscription": sub.Name, "destination": label},
			metrics: s.metrics, log: s.log,
		}
		for _, text := range urls {
			d, err := s.dial(text, database, policy)
			if err != nil {
				s.log.Warn("a subscription has a destination that cannot be used", "database", database, "subscription", sub.Name, "destination", redacted(text))
				continue
			}
			l.to, l.names = append(l.to, d), append(l.names, redacted(text))
		}
		if len(l.to) == 0 {
			return
		}
		lanes = append(lanes, l)
		ctx, cancel := context.WithCancel(s.ctx)
		l.cancel = cancel
		s.done.Go(func() {
			defer cancel()
			l.run(ctx)
		})
	}
	if sub.Mode == meta.ToAny {
		open(string(meta.ToAny), sub.Destinations...)
	} else {
		for _, text := range sub.Destinations {
			open(redacted(text), text)
		}
	}
	s.log.Info("began to send to a subscription", "database", database, "policy", policy, "subscription", sub.Name, "mode", sub.Mode)
	return lanes
}

// watch ends the queues of subscriptions that were dropped.
func (s *Service) watch() {
	for {
		changed := s.store.Changed()
		s.prune(s.store.Snapshot())
		select {
		case <-changed:
		case <-s.ending:
			return
		}
	}
}

func (s *Service) prune(now *meta.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lanes) == 0 {
		return
	}
	there := map[place]bool{}
	for _, d := range now.Databases() {
		for _, p := range d.Policies {
			for _, sub := range p.Subscriptions {
				there[place{p.UID, sub.Name}] = true
			}
		}
	}
	for _, at := range slices.Collect(maps.Keys(s.lanes)) {
		if there[at] {
			continue
		}
		s.end(s.lanes[at])
		delete(s.lanes, at)
		delete(s.of, at)
	}
}
