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

// account notes what a shard holds after a write.
func (n *Node) account(h *handle, shard *tsm.Shard) {
	held := shard.Held()
	memory := n.memory.Add(held.Bytes - h.memory.Swap(held.Bytes))
	log := n.unflushed.Add(held.Log - h.unflushed.Swap(held.Log))
	if memory > n.cfg.MemtableBytes/2 || log > n.cfg.UnflushedLogBytes {
		ask(n.relief)
	}
}

// OffHeapBytes gives the memory that memtables have off the Go heap.
func (n *Node) OffHeapBytes() int64 { return n.arena.Used() + n.arena.Free() }

const (
	// roomWait is how long rows wait for memtables to be flushed before they are
	// refused: they were parsed, and to do that again costs more than to hold them.
	roomWait = time.Second
	roomPoll = 10 * time.Millisecond
)

// Behind reports whether rows would be refused now that would not in a moment: the
// memtables hold all they may, and are being flushed. Who asks it before rows are
// parsed does not parse in vain. Where they cannot be flushed it is not: other
// owners may take the rows.
func (n *Node) Behind() bool {
	if n.memory.Load() < n.cfg.MemtableBytes {
		return false
	}
	ask(n.relief)
	return !n.stuck.Load()
}

// admit lets rows wait for a moment while the memtables hold all they may, and
// then refuses them. What is being written meanwhile may go beyond that by one
// batch for each request.
func (n *Node) admit(ctx context.Context) error {
	for begin := time.Now(); n.Behind() && ctx.Err() == nil && time.Since(begin) < roomWait; {
		select {
		case <-time.After(roomPoll):
		case <-ctx.Done():
		}
	}
	if held := n.memory.Load(); held >= n.cfg.MemtableBytes {
		n.metrics.overloaded.Inc()
		return fmt.Errorf("%w: %d bytes wait to be flushed", model.ErrOverloaded, held)
	}
	return nil
}

// reliever frees memory until memtables hold less than half of what they may,
// and log until there is less than may be. The shards pack and flush on their
// own by size and age; this is for many shards that are written to at once.
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

// worthPacking is what a shard has at least that is packed to free memory: below
// that what a packed memtable takes beside its rows weighs.
const worthPacking = 256 << 10

// relieve packs the memtable with most to gain or flushes a shard: the one that
// holds most, or, to free log, the one whose log is oldest. It reports whether
// there is more to do. Where a shard cannot be flushed, as one whose log has
// failed, the next ones are until enough is free: the others go on.
func (n *Node) relieve(ctx context.Context) bool {
	open := n.shards.useOpen()
	defer func() {
		for h := range open {
			n.release(h)
		}
	}()
	held := make(map[*handle]tsm.Held, len(open))
	var memory, log int64
	for h, shard := range open {
		held[h] = shard.Held()
		h.memory.Store(held[h].Bytes)
		h.unflushed.Store(held[h].Log)
		memory += held[h].Bytes
		log += held[h].Log
	}
	n.memory.Store(memory)
	n.unflushed.Store(log)
	memory -= n.cfg.MemtableBytes / 2
	log -= n.cfg.UnflushedLogBytes
	if memory <= 0 && log <= 0 {
		n.stuck.Store(false)
		return false
	}
	by := func(a, b *handle) int { return cmp.Compare(held[b].Bytes, held[a].Bytes) }
	if memory <= 0 {
		since := make(map[*handle]time.Time, len(open))
		for h, shard := range open {
			since[h] = shard.Info().LogSince
		}
		by = func(a, b *handle) int { return since[a].Compare(since[b]) }
	} else if n.packOne(open, held) {
		n.stuck.Store(false)
		return true
	}
	failed := false
	for _, h := range slices.SortedFunc(maps.Keys(held), by) {
		if held[h] == (tsm.Held{}) {
			continue
		}
		err := open[h].Flush(ctx)
		switch {
		case ctx.Err() != nil:
			return false
		case err != nil:
			failed = true
			n.log.Warn("flush to free memory or log failed", "shard", h.id, "error", err)
			continue
		}
		memory -= held[h].Bytes
		log -= held[h].Log
		if !failed || memory <= 0 && log <= 0 {
			n.stuck.Store(false)
			return true
		}
	}
	n.stuck.Store(failed)
	select {
	case <-ctx.Done():
		return false
	case <-time.After(relieveAgain):
		return true
	}
}

// packOne packs the memtable with most to gain, if there is one that is worth it.
func (n *Node) packOne(open map[*handle]*tsm.Shard, held map[*handle]tsm.Held) bool {
	var most *handle
	for h := range held {
		if held[h].Unpacked >= worthPacking && (most == nil || held[h].Unpacked > held[most].Unpacked) {
			most = h
		}
	}
	if most == nil {
		return false
	}
	if err := open[most].Pack(); err != nil {
		n.log.Warn("packing to free memory failed", "shard", most.id, "error", err)
		return false
	}
	return true
}
