package rpc

import (
	"context"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Pool has the connections of one node to the others. All methods may be
// called concurrently.
type Pool struct {
	cfg     Config
	self    Identity
	tls     *TLS
	log     *slog.Logger
	metrics *poolMetrics

	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	done   sync.WaitGroup // the watchers of the connections

	mu struct {
		sync.Mutex
		conns  map[target]*Conn // as many as there were addresses; see Conn.rest
		closed bool
	}
}

// target is where a connection goes and whom it must find there.
type target struct {
	node    uint64 // 0: whoever answers
	address string
}

// NewPool gives a Pool without connections. self is what it tells the others.
// t is nil for plain connections, reg may be nil.
func NewPool(cfg Config, self Identity, t *TLS, log *slog.Logger, reg prometheus.Registerer) (*Pool, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Pool{cfg: cfg, self: self, tls: t, log: log, metrics: newPoolMetrics(reg)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.mu.conns = make(map[target]*Conn)
	return p, nil
}

// Conn gives the connection to whoever answers at an address.
func (p *Pool) Conn(address string) *Conn { return p.conn(target{address: address}) }

// Node gives the connection to a node at an address; another node there is
// refused, since addresses wander.
func (p *Pool) Node(node uint64, address string) *Conn { return p.conn(target{node, address}) }

func (p *Pool) conn(t target) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.mu.conns[t]
	if c == nil {
		c = newConn(p, t)
		if !p.mu.closed { // it fails every call otherwise
			p.mu.conns[t] = c
		}
	}
	return c
}

// Close ends all calls and connections. It is safe to call twice.
func (p *Pool) Close() {
	p.cancel()
	p.mu.Lock()
	p.mu.closed = true
	conns := p.mu.conns // does not change any more
	p.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
	p.done.Wait()
}
