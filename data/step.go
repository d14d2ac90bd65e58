package data

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/varvedb/varve/meta"
	"github.com/varvedb/varve/model"
)

// stepEvery is how often replicas that come or go are looked at.
const stepEvery = 500 * time.Millisecond

// moves is what is known of replicas that come or go, or are to be built anew.
type moves struct {
	sync.Mutex
	running map[uint64]bool
	copied  map[uint64]bool   // joining replicas that are nothing but copies, though the mark is gone
	doubts  map[uint64]error  // why a replica must be copied anew
	lost    map[uint64]bool   // replicas that may lack what is in no log any more
	refuses map[uint64]bool   // replicas that take nothing first-hand, to be copied anew
	states  map[uint64]string // what is being done, for people
}

// doubt notes that a replica is not what it should be and must be copied anew.
func (n *Node) doubt(id uint64, why error) {
	if !errors.Is(why, model.ErrCorrupt) && !errors.Is(why, model.ErrTrimmed) {
		return // a disk that is full or slow may be well again
	}
	n.moves.Lock()
	defer n.moves.Unlock()
	if n.moves.doubts == nil {
		n.moves.doubts = make(map[uint64]error)
	}
	if n.moves.doubts[id] == nil {
		n.moves.doubts[id] = why
		ask(n.steps)
	}
}

// doubtOf gives why a replica must be copied anew, nil when it need not.
func (n *Node) doubtOf(id uint64) error {
	n.moves.Lock()
	defer n.moves.Unlock()
	return n.moves.doubts[id]
}

func (n *Node) believe(id uint64) {
	n.moves.Lock()
	defer n.moves.Unlock()
	delete(n.moves.doubts, id)
	delete(n.moves.lost, id)
	delete(n.moves.refuses, id)
}

// suspect notes that a replica may lack what is in no log any more.
func (n *Node) suspect(id uint64) {
	n.moves.Lock()
	defer n.moves.Unlock()
	if n.moves.lost == nil {
		n.moves.lost = make(map[uint64]bool)
	}
	n.moves.lost[id] = true
	ask(n.steps)
}

func (n *Node) suspected(id uint64) bool {
	n.moves.Lock()
	defer n.moves.Unlock()
	return n.moves.lost[id]
}

// refuses reports whether a replica takes nothing first-hand any more.
func (n *Node) refuses(id uint64) bool {
	n.moves.Lock()
	defer n.moves.Unlock()
	return n.moves.refuses[id]
}

func (n *Node) setRefuses(id uint64, refuses bool) {
	n.moves.Lock()
	defer n.moves.Unlock()
	if n.moves.refuses == nil {
		n.moves.refuses = make(map[uint64]bool)
	}
	n.moves.refuses[id] = refuses
}

// decide makes a doubt of a suspicion once all owners that are alive were heard:
// one of which nothing is known yet may have it all.
func (n *Node) decide(id uint64) {
	if !n.suspected(id) {
		return
	}
	s := n.meta.Snapshot()
	for _, l := range n.core.Lags(n.lately(), id) {
		if !l.Met && (s.Alive(l.Node) || n.meta.Away()) {
			return
		}
	}
	if n.core.Doubtful(id) && !n.core.Lost(id) {
		return
	}
	if n.core.Lost(id) {
		n.doubt(id, fmt.Errorf("what it lacks is in no log any more: %w", model.ErrTrimmed))
	}
	n.moves.Lock()
	defer n.moves.Unlock()
	delete(n.moves.lost, id)
}

// stepper takes the replicas of this node that come or go one step further, each
// by what the metadata and the disk say: so nothing is lost when it is killed at
// any point.
func (n *Node) stepper(ctx context.Context) {
	n.moves.Lock()
	n.moves.running, n.moves.states = make(map[uint64]bool), make(map[uint64]string)
	n.moves.Unlock()
	slots := make(chan struct{}, n.cfg.CopiesAtOnce)
	var all sync.WaitGroup
	defer all.Wait()
	every := time.NewTicker(stepEvery)
	defer every.Stop()
	for {
		for _, id := range n.unsettled() {
			if !n.claimStep(id) {
				continue
			}
			all.Go(func() {
				defer n.endStep(id)
				if err := n.step(ctx, slots, id); err != nil && ctx.Err() == nil {
					if n.setStep(id, err.Error()) { // once, not at every try
						n.log.Warn("step of a replica failed, will be tried again", "shard", id, "error", err)
					}
					select {
					case <-ctx.Done():
					case <-time.After(4 * stepEvery):
					}
				}
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-n.steps:
		case <-every.C:
		}
	}
}

func (n *Node) claimStep(id uint64) bool {
	n.moves.Lock()
	defer n.moves.Unlock()
	if n.moves.running[id] {
		return false
	}
	n.moves.running[id] = true
	return true
}

func (n *Node) endStep(id uint64) {
	n.moves.Lock()
	defer n.moves.Unlock()
	delete(n.moves.running, id)
}

// setStep says what is being done with a replica, and whether that is new.
func (n *Node) setStep(id uint64, doing string) bool {
	n.moves.Lock()
	defer n.moves.Unlock()
	was := n.moves.states[id]
	if doing == "" {
		delete(n.moves.states, id)
	} else {
		n.moves.states[id] = doing
	}
	return was != doing
}

// unsettled gives the replicas of which something is to be done.
func (n *Node) unsettled() []uint64 {
	var ids []uint64
	s := n.follow()
	for _, id := range n.owned() {
		_, sh := s.Shard(id)
		if n.stateIn(sh) != meta.Active || n.doubtOf(id) != nil || n.suspected(id) {
			ids = append(ids, id)
		}
	}
	for _, id := range n.shards.ids() {
		if g, sh := s.Shard(id); sh != nil && g.Live() && n.stateIn(sh) == "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// step does what is next for a replica.
func (n *Node) step(ctx context.Context, slots chan struct{}, id uint64) error {
	g, sh := n.follow().Shard(id)
	if sh == nil || !g.Live() {
		n.believe(id)
		return nil // the sweeper removes it
	}
	n.decide(id)
	switch state := n.stateIn(sh); state {
	case "":
		return n.retire(ctx, g, sh)
	case meta.Rebuild:
		return n.rebuild(ctx, g, sh)
	case meta.Joining:
		return n.join(ctx, slots, g, sh)
	case meta.Leaving:
		return n.leave(ctx, sh)
	}
	if why := n.doubtOf(id); why != nil {
		return n.giveUp(ctx, sh, why)
	}
	return nil
}

// giveUp asks for the own replica to be copied anew. One that nobody else has
// must serve what it has. What can be read of it the others first pull as
// usual, so that nothing is left over: what is left over loses against whatever
// was written before.
func (n *Node) giveUp(ctx context.Context, sh *meta.Shard, why error) error {
	active := n.others(sh, meta.Active)
	if len(active) == 0 {
		return nil
	}
	debts := n.core.Owed(n.lately(), sh.ID, nil)
	met, held := false, len(debts) == 0 // none when it does not open
	for _, d := range debts {
		if d.Heard && d.Age <= n.cfg.Replica.SyncFor && slices.Contains(active, d.Node) {
			met, held = true, held || d.Batches == 0
		}
	}
	// Held when nothing was taken since the step before, that is.
	refused := n.refuses(sh.ID)
	n.setRefuses(sh.ID, met)
	if !held || met && !refused {
		n.setStep(sh.ID, "waiting for the others to hold what it holds, to be copied anew: "+why.Error())
		return nil
	}
	n.log.Error("replica must be copied anew", "shard", sh.ID, "error", why)
	n.metrics.rebuilds.Inc()
	return n.meta.MarkRebuild(ctx, n.self, sh.ID, n.self)
}

// rebuild hands over what only this replica has and begins to copy it anew.
func (n *Node) rebuild(ctx context.Context, g *meta.ShardGroup, sh *meta.Shard) error {
	n.setStep(sh.ID, "handing over what only it holds, to be copied anew")
	if done, err := n.clear(ctx, g, sh); !done {
		return err
	}
	n.believe(sh.ID)
	return n.meta.Rejoin(ctx, sh.ID, n.self)
}

// join copies a replica, catches up and becomes active.
func (n *Node) join(ctx context.Context, slots chan struct{}, g *meta.ShardGroup, sh *meta.Shard) error {
	there, err := n.shards.onDisk(sh.ID)
	if err != nil {
		return err
	}
	switch marked := n.marked(sh.ID); {
	case n.doubtOf(sh.ID) != nil:
		// What was copied is no good.
		if done, err := n.clear(ctx, g, sh); !done {
			return err
		}
		n.believe(sh.ID)
		return nil
	case there && !marked:
		n.setStep(sh.ID, "handing over what an earlier replica holds")
		_, err := n.clear(ctx, g, sh)
		return err
	case !there && !marked:
		n.setStep(sh.ID, "waiting to be copied")
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-ctx.Done():
			return ctx.Err()
		}
		n.setStep(sh.ID, "being copied")
		return n.copyShard(ctx, g, sh)
	}
	if !n.shards.isLoaded(sh.ID) {
		h, _, err := n.shards.use(sh.ID) // makes one of which there was nothing to copy
		if err != nil {
			return err
		}
		n.release(h)
	}
	now, err := n.now()
	if err != nil {
		return err
	}
	if !n.core.CaughtUp(now, sh.ID) {
		n.setStep(sh.ID, "catching up")
		return nil
	}
	// First the mark: an active replica takes batches that nobody else may have.
	// It is remembered for the case that the metadata cannot be changed now.
	n.setCopied(sh.ID, true)
	if err := n.shards.unmark(sh.ID); err != nil {
		return err
	}
	if err := n.meta.Activate(ctx, sh.ID, n.self); err != nil {
		return err
	}
	n.setStep(sh.ID, "")
	n.log.Info("replica is active", "shard", sh.ID)
	return nil
}

// leave goes when the others hold all.
func (n *Node) leave(ctx context.Context, sh *meta.Shard) error {
	if n.shards.has(sh.ID) {
		if err := n.load(sh.ID); err != nil {
			return err
		}
	}
	now, err := n.now()
	if err != nil {
		return err
	}
	if !n.core.Drained(now, sh.ID) {
		n.setStep(sh.ID, "leaving")
		return nil
	}
	return n.meta.Leave(ctx, sh.ID, n.self)
}

// retire removes the directory of a replica that this node does not own.
func (n *Node) retire(ctx context.Context, g *meta.ShardGroup, sh *meta.Shard) error {
	// A snapshot may be older than what this node was made an owner by.
	if err := n.meta.Refresh(ctx); err != nil {
		return nil // the store has said so; the next step comes
	}
	now, current := n.follow().Shard(sh.ID)
	if current == nil || n.stateIn(current) != "" || !now.Live() {
		return nil
	}
	// What was sent to the owners of before is on its way to those of now, under
	// its own id: it is not to be offered, for it would come twice.
	select {
	case <-time.After(n.cfg.Replica.SyncFor):
	case <-ctx.Done():
		return ctx.Err()
	}
	n.setStep(sh.ID, "handing over what only it holds, to be removed")
	done, err := n.clear(ctx, g, current)
	if done {
		n.setStep(sh.ID, "")
		n.log.Info("removed replica", "shard", sh.ID)
	}
	return err
}

// marked reports whether a replica is a copy that has been nothing but joining.
func (n *Node) marked(id uint64) bool {
	n.moves.Lock()
	copied := n.moves.copied[id]
	n.moves.Unlock()
	return copied || n.shards.marked(id)
}

func (n *Node) setCopied(id uint64, copied bool) {
	n.moves.Lock()
	defer n.moves.Unlock()
	if !copied {
		delete(n.moves.copied, id)
		return
	}
	if n.moves.copied == nil {
		n.moves.copied = make(map[uint64]bool)
	}
	n.moves.copied[id] = true
}
