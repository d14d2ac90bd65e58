package data

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/varvedb/varve/data/replica"
	"github.com/varvedb/varve/model"
)

// Tell implements Owner.
func (n *Node) Tell(_ context.Context, m *replica.Message) (*replica.Message, error) {
	n.follow() // the sender may speak of a shard that was made just now
	if err := n.receive(m); err != nil {
		return nil, err
	}
	now, err := n.now()
	if err != nil {
		return nil, err
	}
	n.callers.note(m.From.Node)
	return n.core.Tell(now, m.From.Node), nil
}

// callers is when other owners have called last.
type callers struct {
	mu sync.Mutex
	at map[uint64]time.Time
}

func (c *callers) note(node uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == nil {
		c.at = make(map[uint64]time.Time)
	}
	c.at[node] = time.Now()
}

// within reports whether a node has called that lately.
func (c *callers) within(node uint64, d time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.at[node]
	return ok && time.Since(at) < d
}

// receive takes in a message, and raises the clock to that of its sender.
func (n *Node) receive(m *replica.Message) error {
	if m.To != n.self {
		return fmt.Errorf("message for node %d came to node %d: %w", m.To, n.self, model.ErrMoved)
	}
	if err := n.observe(m.Clock); err != nil {
		n.metrics.aheadClocks.Inc()
		n.log.Debug("reading of a clock refused", "node", m.From.Node, "error", err)
	}
	now, err := n.now()
	if err != nil {
		return err
	}
	n.core.Receive(now, m)
	ask(n.pulls)
	return nil
}

// teller tells every other owner what is held here, each by a goroutine of its
// own, so that one that is slow delays no other.
func (n *Node) teller(ctx context.Context) {
	every := time.NewTicker(n.cfg.TellEvery)
	defer every.Stop()
	told := make(map[uint64]context.CancelFunc)
	var all sync.WaitGroup
	defer all.Wait()
	for {
		was := told
		told = make(map[uint64]context.CancelFunc, len(was))
		for _, node := range n.core.Peers() {
			stop := was[node]
			delete(was, node)
			if stop == nil {
				var one context.Context
				one, stop = context.WithCancel(ctx)
				all.Go(func() { n.tellOne(one, node) })
			}
			told[node] = stop
		}
		for _, stop := range was {
			stop()
		}
		select {
		case <-ctx.Done():
			for _, stop := range told {
				stop()
			}
			return
		case <-every.C:
		}
	}
}

// tellOne tells one other owner. A call carries a message each way, so of two
// nodes that reach each other only the one with the lower id calls.
func (n *Node) tellOne(ctx context.Context, node uint64) {
	every := time.NewTicker(n.cfg.TellEvery)
	defer every.Stop()
	lost := false
	met := time.Now()
	for {
		var err error
		if node > n.self || !n.callers.within(node, n.cfg.TellEvery*3/2) {
			err = n.exchange(ctx, node)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && lost:
			n.log.Info("node is back", "node", node, "name", n.nameOf(node), "away", time.Since(met))
			lost = false
		case err != nil && !lost && time.Since(met) > n.cfg.Replica.SyncFor:
			n.log.Warn("node cannot be reached", "node", node, "name", n.nameOf(node), "error", err)
			lost = true
		}
		if err == nil {
			met = time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// exchange sends one message and takes in the answer.
func (n *Node) exchange(ctx context.Context, node uint64) error {
	o := n.owner(node)
	if o == nil {
		return errNoWay
	}
	now, err := n.now()
	if err != nil {
		return err
	}
	m := n.core.Tell(now, node)
	if m == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Replica.SyncFor/2)
	defer cancel()
	answer, err := o.Tell(ctx, m)
	if err != nil {
		n.metrics.untold.Inc()
		return err
	}
	if answer == nil {
		return nil
	}
	return n.receive(answer)
}

var errNoWay = fmt.Errorf("no way to the node: %w", model.ErrUnavailable)

// owner gives another node, nil when there is no way to it.
func (n *Node) owner(node uint64) Owner {
	if n.peers == nil {
		return nil
	}
	return n.peers.Owner(node)
}

// HandOver waits until all other owners that are there hold what is held here,
// at most for the time that is configured. From then on nothing is taken
// first-hand: it is the first step of stopping a node, while it can still be
// reached by the others.
// A second call does nothing.
func (n *Node) HandOver(ctx context.Context) {
	if n.stopping.Swap(true) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.HandOverFor)
	defer cancel()
	for n.owes() {
		select {
		case <-ctx.Done():
			n.log.Warn("stopping, though other owners may lack something")
			return
		case <-time.After(n.cfg.TellEvery / 4):
		}
	}
}

// owes reports whether an owner that is there lacks something that is held here.
func (n *Node) owes() bool {
	now := n.lately()
	for _, id := range n.owned() {
		for _, d := range n.core.Owed(now, id, nil) {
			if d.Batches > 0 && d.Age <= n.cfg.Replica.SyncFor {
				return true
			}
		}
	}
	return false
}

// owned gives the shards that this node is an owner of.
func (n *Node) owned() []uint64 {
	n.follow()
	n.follows.Lock()
	defer n.follows.Unlock()
	ids := make([]uint64, 0, len(n.follows.owned))
	for id := range n.follows.owned {
		ids = append(ids, id)
	}
	return ids
}
