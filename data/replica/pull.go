package replica

import (
	"time"

	"github.com/varvedb/varve/model"
)

// Pull is batches to be fetched from another owner.
type Pull struct {
	Shard    uint64
	Revision uint64
	From     uint64
	Want     *model.BatchSet
}

// Pulls gives what is to be fetched now, one Pull for a shard at a time: each is
// to be answered with PullDone.
func (n *Node) Pulls(now Time) []Pull {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []Pull
	for id, s := range inOrder(n.mu.behind) {
		if !s.lacks() {
			delete(n.mu.behind, id)
			continue
		}
		if s.pulling || !s.loaded || s.state == "" || s.state == Rebuild || now.Mono < s.pullAfter {
			continue
		}
		if p, ok := n.pullLocked(now, s); ok {
			s.pulling = true
			all = append(all, p)
		}
	}
	return all
}

// lacks reports whether another owner has stated what is not durable here.
func (s *shard) lacks() bool {
	for _, v := range s.views {
		if v.missing != nil && !v.missing.Empty() {
			return true
		}
	}
	return false
}

// pullLocked chooses the owner from which most can be fetched, of those that
// were met of late if there are such. One that has failed comes after the
// others, or it might be asked for ever.
func (n *Node) pullLocked(now Time, s *shard) (best Pull, ok bool) {
	type rank struct {
		met    bool
		failed time.Duration
		want   uint64
	}
	better := func(a, b rank) bool {
		switch {
		case a.met != b.met:
			return a.met
		case a.failed != b.failed:
			return a.failed < b.failed
		}
		return a.want > b.want
	}
	var highest rank
	for node, v := range inOrder(s.views) {
		want := s.fetchable(v)
		if want.Empty() {
			continue
		}
		p := n.mu.peers[node]
		r := rank{p.heard && now.Mono-p.echoed <= n.cfg.SyncFor, v.failed, want.Len()}
		if !ok || better(r, highest) {
			best, highest, ok = Pull{Shard: s.id, Revision: s.revision, From: node, Want: want}, r, true
		}
	}
	return best, ok
}

// fetchable gives what another owner has and this replica lacks and is not
// about to have.
func (s *shard) fetchable(v *view) *model.BatchSet {
	if !v.heard || v.missing == nil || v.missing.Empty() || s.owner(v.node).State == Rebuild {
		return &model.BatchSet{}
	}
	want := v.missing.Clone()
	if v.trimmed != nil {
		want = want.Minus(v.trimmed)
	}
	for id := range s.pending {
		want.Remove(id)
	}
	return want
}

// PullDone says how a Pull has ended: with what the other owner no longer has in
// its log, and with the error that cut it short. What was fetched came through
// Admit and Durable.
func (n *Node) PullDone(now Time, p Pull, trimmed *model.BatchSet, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[p.Shard]
	if s == nil {
		return
	}
	s.pulling = false
	if err != nil {
		s.pullAfter = now.Mono + n.cfg.PullPause
	}
	v := s.views[p.From]
	if v == nil {
		return
	}
	if v.failed = 0; err != nil {
		v.failed = now.Mono
	}
	if trimmed == nil {
		return
	}
	if v.trimmed == nil {
		v.trimmed = &model.BatchSet{}
	}
	if !v.trimmed.ContainsAll(trimmed) {
		v.trimmed.AddAll(trimmed)
		s.trimmedAt = n.mu.mono
	}
}

// Lost reports whether a replica lacks batches that are in the log of no owner
// that has them any more: it must be copied anew. The others have had the time
// to state what they hold since that was found: one that has a batch in its log
// states it a CutoffAge later than one that got it with a copy.
func (n *Node) Lost(id uint64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[id]
	return s != nil && s.doubtful() && n.mu.mono-s.trimmedAt >= n.cfg.CutoffAge+n.cfg.SyncFor
}

// Doubtful reports whether a replica will be Lost unless another owner turns
// out to have in its log what is lacking.
func (n *Node) Doubtful(id uint64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[id]
	return s != nil && s.doubtful()
}

func (s *shard) doubtful() bool {
	if !s.loaded {
		return false
	}
	lost, found := &model.BatchSet{}, &model.BatchSet{}
	for _, v := range s.views {
		if v.missing == nil || v.missing.Empty() {
			continue
		}
		found.AddAll(s.fetchable(v))
		if v.trimmed != nil {
			lost.AddAll(v.missing.Intersect(v.trimmed))
		}
	}
	for id := range s.pending {
		lost.Remove(id)
	}
	return !lost.Minus(found).Empty()
}
