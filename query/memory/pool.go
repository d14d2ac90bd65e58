package memory

import (
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varvedb/varve/model"
)

// Pool is the memory that the queries of one node may hold together, or those of
// one client. A nil Pool has no bound. It is safe for concurrent use.
type Pool struct {
	whose   string // of the queries, for errors; "" is all
	limit   atomic.Int64
	used    atomic.Int64
	refused atomic.Int64
}

// NewPool gives a Pool of so many bytes; 0 is no bound. reg may be nil.
func NewPool(limit int64, reg prometheus.Registerer) *Pool {
	p := &Pool{}
	p.limit.Store(limit)
	if reg != nil {
		reg.MustRegister(
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "query_memory_bytes", Help: "Memory granted to the queries that run.",
			}, func() float64 { return float64(p.used.Load()) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "query_memory_limit_bytes", Help: "Memory that queries may be granted.",
			}, func() float64 { return float64(p.limit.Load()) }),
			prometheus.NewCounterFunc(prometheus.CounterOpts{
				Name: "query_memory_refused_total", Help: "How often a query was refused memory because all queries held too much.",
			}, func() float64 { return float64(p.refused.Load()) }),
		)
	}
	return p
}

// PoolOf gives a Pool for the queries of somebody, without a bound until SetLimit.
func PoolOf(whose string) *Pool { return &Pool{whose: whose} }

// SetLimit changes the limit. What is granted stays so.
func (p *Pool) SetLimit(limit int64) { p.limit.Store(limit) }

// Used gives the bytes that are granted now.
func (p *Pool) Used() int64 { return p.used.Load() }

// take grants n bytes or fails with model.ErrOverloaded.
func (p *Pool) take(n int64) error {
	if p == nil {
		return nil
	}
	if used, limit := p.used.Add(n), p.limit.Load(); limit > 0 && used > limit {
		p.used.Add(-n)
		p.refused.Add(1)
		return p.usedUp(used-n, limit)
	}
	return nil
}

func (p *Pool) usedUp(used, limit int64) error {
	of := ""
	if p.whose != "" {
		of = " of " + p.whose
	}
	return &model.Error{
		Kind: model.ErrOverloaded,
		Text: fmt.Sprintf("the memory for queries%s is used up (%d of %d bytes), try again later", of, used, limit),
	}
}

// give takes n bytes back to each of pools.
func give(pools []*Pool, n int64) {
	for _, p := range pools {
		if p != nil {
			p.used.Add(-n)
		}
	}
}
