package data

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// relieveAgain is how long the reliever waits where flushes failed.
const relieveAgain = time.Second

// account notes what the memtables of a shard hold after a write.
func (n *Node) account(h *handle, shard *tsm.Shard) {
	held := shard.Info().MemoryBytes
	if total := n.memory.Add(held - h.memory.Swap(held)); total > n.cfg.MemtableBytes/2 {
		ask(n.relief)
	}
}

// admit refuses rows while the memtables hold all they may. What is being
// written meanwhile may go beyond that by one batch for each request.
func (n *Node) admit() error {
	if held := n.memory.Load(); held >= n.cfg.MemtableBytes {
		ask(n.relief)
		n.metrics.overloaded.Inc()
		return fmt.Errorf("%w: %d bytes wait to be flushed", model.ErrOverloaded, held)
	}
	return nil
}

// reliever flushes the largest memtables until they hold less than half of
// what they may. The shards flush by size and age on their own; this is for
// many shards that are written to at once.
func (n *Node) reliever(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.relief:
		}
		for n.relieve(ctx) {
		}
	}
}

// relieve flushes the largest memtable, and reports whether there is more to
// do. Where it cannot be flushed, as on a shard whose log has failed, the next
// ones are until enough is free: the others go on.
func (n *Node) relieve(ctx context.Context) bool {
	var total int64
	open := n.shards.useOpen()
	defer func() {
		for h := range open {
			n.release(h)
		}
	}()
	held := make(map[*handle]int64, len(open))
	for h, shard := range open {
		held[h] = shard.Info().MemoryBytes
		h.memory.Store(held[h])
		total += held[h]
	}
	n.memory.Store(total)
	if total <= n.cfg.MemtableBytes/2 {
		return false
	}
	largest := slices.SortedFunc(maps.Keys(held), func(a, b *handle) int { return cmp.Compare(held[b], held[a]) })
	failed := false
	for _, h := range largest {
		err := open[h].Flush(ctx)
		switch {
		case ctx.Err() != nil:
			return false
		case err != nil:
			failed = true
			n.log.Warn("flush to free memory failed", "shard", h.id, "error", err)
			continue
		}
		if total -= held[h]; !failed || total <= n.cfg.MemtableBytes/2 {
			return true
		}
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(relieveAgain):
		return true
	}
}
