package data

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm"
)

// logsEvery is how often the keeper looks at the logs that are kept for others.
const logsEvery = 5 * time.Second

// keeper keeps the excuses on disk and the logs within their bounds.
func (n *Node) keeper(ctx context.Context) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	looked := time.Now()
	for {
		select {
		case <-ctx.Done():
			n.keepExcuses(true)
			return
		case <-every.C:
		}
		n.keepExcuses(false)
		if time.Since(looked) >= logsEvery {
			n.tick()
			n.trimLogs(ctx)
			n.beginCensus(censusApart)
			looked = time.Now()
		}
	}
}

// tick moves the time of the node on while there is something to flush: on a
// node without others to talk to nobody else may ask for it. A node at rest does
// not write a promise of its clock each second.
func (n *Node) tick() {
	if n.memory.Load() == 0 {
		return
	}
	if _, err := n.now(); err != nil {
		n.log.Warn("clock cannot be promised", "error", err)
	}
}

// trimLogs lets go of what the other owners have, looks for damage, and gives
// up owners that are away for so long that the log for them has grown too large.
func (n *Node) trimLogs(ctx context.Context) {
	for h, shard := range n.shards.useOpen() {
		if ctx.Err() == nil {
			n.trimLog(ctx, h.id, shard)
		}
		n.release(h)
	}
}

func (n *Node) trimLog(ctx context.Context, id uint64, shard *tsm.Shard) {
	_, sh := n.follow().Shard(id)
	if sh == nil || len(sh.Owners) < 2 || n.stateIn(sh) == "" {
		n.waiting.take(id)
		return
	}
	if err := shard.Damaged(); err != nil {
		n.doubt(id, err)
	}
	before := n.waiting.take(id)
	if err := shard.ReleaseLog(); err != nil {
		n.log.Warn("log could not be trimmed", "shard", id, "error", err)
	}
	info := shard.Info()
	old := !info.LogSince.IsZero() && n.clock.Wall().Sub(info.LogSince) > n.cfg.CatchupMaxAge
	if !old && info.LogBytes <= n.cfg.CatchupMaxBytes || n.stateIn(sh) != meta.Active || before == nil {
		return
	}
	// Of what stood in the way the last time, not of what was written since: the
	// others have said that they hold it if they do. One that only began to be
	// heard, and is alive, gets the time to say so.
	s := n.meta.Snapshot()
	for _, d := range n.core.Owed(n.lately(), id, before) {
		if d.Batches == 0 || !d.Heard && (s.Alive(d.Node) || n.meta.Away()) {
			continue
		}
		err := n.meta.MarkRebuild(ctx, n.self, id, d.Node)
		if errors.Is(err, model.ErrConflict) {
			continue // it must not be: the log grows on
		}
		if err != nil {
			n.log.Warn("owner that is away for too long could not be given up", "shard", id, "node", d.Node, "error", err)
			continue
		}
		n.metrics.givenUp.Inc()
		n.log.Warn("log kept for an owner has grown too large, it is to copy the shard anew",
			"shard", id, "node", d.Node, "log_bytes", info.LogBytes, "log_since", info.LogSince)
	}
}

// waiting is, by shard, the batches of the oldest log file that was to be let go
// and that some owner lacks.
type waiting struct {
	mu  sync.Mutex
	ids map[uint64]*model.BatchSet
}

func (w *waiting) note(shard uint64, ids *model.BatchSet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ids == nil {
		w.ids = make(map[uint64]*model.BatchSet)
	}
	w.ids[shard] = ids.Clone()
}

// take gives what was noted, nil when nothing was, and forgets it.
func (w *waiting) take(shard uint64) *model.BatchSet {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := w.ids[shard]
	delete(w.ids, shard)
	return ids
}
