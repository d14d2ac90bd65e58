package replica

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/varvedb/varve/model"
)

// Node is what one data node knows of the shards that it owns and of their
// other owners. It is safe for concurrent use.
type Node struct {
	self Self
	cfg  Config

	mu struct {
		sync.Mutex
		clock   model.HLC     // the highest reading that any event came with
		clockAt time.Duration // when it came
		mono    time.Duration // the latest, too
		cutoff  model.HLC     // the highest that was told
		shards  map[uint64]*shard
		behind  map[uint64]*shard // all that lack something, and some that no longer do
		peers   map[uint64]*peer
		shared  map[uint64][]shared // see sharedLocked
		known   bool                // nodes is what the metadata says now
		nodes   map[uint64]NodeInfo

		excuses  uint64 // counts the changes of excuses
		counters Counters
	}
}

// Counters is what a Node counts.
type Counters struct {
	Stale    uint64 // batches refused below the fence
	TooNew   uint64 // batches refused above the fence
	Below    uint64 // pulled batches refused below the frontier, which cannot happen
	ClockOff uint64 // batches refused because this node's clock is off
}

// shard is a replica of this node.
type shard struct {
	id       uint64
	revision uint64
	state    State   // of this node; "" when it is no owner
	owners   []Owner // all, this node among them

	loaded  bool
	applied *model.BatchSet // durable
	settled *model.BatchSet // of these, those that are stated
	recent  []arrival       // of these, the others
	pending map[model.BatchID]arriving
	before  *model.BatchSet // of applied, what was let in among other owners; of a leaving owner only

	// generation changes with what is stated.
	generation uint64
	frontier   model.HLC // the highest that was given out
	views      map[uint64]*view
	excuses    map[uint64]uint64 // by node: the start in which this replica was in sync with it

	pulling   bool
	pullAfter time.Duration
	trimmedAt time.Duration // when last something was found to be in a log no more
}

// arriving is a batch that was admitted and is not durable yet.
type arriving struct {
	version  model.Version
	writers  int    // calls that write it
	revision uint64 // of the owners among which it was admitted first
}

// arrival is a batch that became durable a moment ago.
type arrival struct {
	version model.Version
	at      time.Duration
}

// view is what is known of another owner of a shard, and what it was told.
type view struct {
	node uint64

	heard    bool // it has made a statement in its present run
	revision uint64
	set      *model.BatchSet
	low      model.HLC       // its floor, when message lowIn said one
	lowIn    uint64          // number of that message
	missing  *model.BatchSet // of set, what is not durable here
	trimmed  *model.BatchSet // of what it had, what its log has lost
	noted    model.HLC       // all its batches below this are here, and no other will come
	failed   time.Duration   // when the last pull from it failed; 0: it did not

	stated      uint64 // the generation that messages carry
	statedSince uint64 // the first message that did; 0: none yet
	acked       uint64 // the generation that it has acknowledged
}

// peer is another data node.
type peer struct {
	start uint64 // its present run

	seen   uint64 // the number of its last message
	got    uint64 // of the last one that was taken in whole
	ping   time.Duration
	cutoff model.HLC

	heard  bool          // it has answered a message of this run
	echoed time.Duration // when the last message that it answered was made

	number uint64 // of the last message to it

	unacked map[uint64]*shard // with a statement that it has not acknowledged

	measured  bool
	offset    time.Duration // of its clock from ours
	offsetAt  time.Duration
	exactness time.Duration // of offset
}

// New gives a Node without shards.
func New(self Self, cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := &Node{self: self, cfg: cfg}
	n.mu.shards = make(map[uint64]*shard)
	n.mu.behind = make(map[uint64]*shard)
	n.mu.peers = make(map[uint64]*peer)
	return n, nil
}

// SetOwners says who owns a shard. What owners have said under another
// revision does not count any more; a lower revision is ignored.
func (n *Node) SetOwners(id, revision uint64, owners []Owner) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[id]
	if s == nil {
		s = &shard{
			id: id, applied: &model.BatchSet{}, settled: &model.BatchSet{},
			pending: make(map[model.BatchID]arriving), views: make(map[uint64]*view), excuses: make(map[uint64]uint64),
		}
		n.mu.shards[id] = s
	}
	if revision <= s.revision {
		return
	}
	was := make(map[uint64]State)
	for _, o := range s.owners {
		was[o.Node] = o.State
	}
	s.revision, s.owners, s.state = revision, slices.Clone(owners), ""
	views := make(map[uint64]*view)
	for _, o := range owners {
		if o.Node == n.self.Node {
			s.state = o.State
			continue
		}
		v := s.views[o.Node]
		// What it held it has lost, but for what it has said since.
		if v == nil || o.State == Rebuild || was[o.Node] == Rebuild && v.revision < revision {
			v = &view{node: o.Node}
		}
		v.noted = 0
		views[o.Node] = v
		n.peerLocked(o.Node)
	}
	for node := range s.views {
		if views[node] == nil {
			delete(n.mu.peers[node].unacked, id)
			delete(s.excuses, node)
		}
	}
	s.views = views
	s.beforeLocked()
	n.ownersChangedLocked()
	n.restateLocked(s)
}

// Forget drops a shard: it is gone from the metadata, or its directory is.
func (n *Node) Forget(id uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.shards[id] == nil {
		return
	}
	delete(n.mu.shards, id)
	delete(n.mu.behind, id)
	n.ownersChangedLocked()
	for _, p := range n.mu.peers {
		delete(p.unacked, id)
	}
	n.mu.excuses++
}

// SetNodes says which nodes there are. known is false while the metadata may be
// out of date: then nobody's absence is excused.
func (n *Node) SetNodes(known bool, nodes map[uint64]NodeInfo) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.known = known
	n.mu.nodes = maps.Clone(nodes)
}

// Opened says which batches a replica holds durably, and the versions of those
// of them that are still in its log. Until then it takes and answers nothing.
// Nothing is being written meanwhile: what a failed sync has left in doubt is
// among them or lost.
func (n *Node) Opened(id uint64, applied *model.BatchSet, recent []model.Version) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.mu.shards[id]
	if s == nil {
		return
	}
	s.loaded, s.applied, s.settled, s.recent = true, applied.Clone(), applied.Clone(), nil
	clear(s.pending)
	for _, v := range recent {
		if v.HLC >= n.mu.cutoff && s.settled.Contains(v.ID) {
			s.settled.Remove(v.ID)
			s.recent = append(s.recent, arrival{v, n.mu.mono})
		}
	}
	s.beforeLocked()
	for _, v := range s.views {
		n.lookLocked(s, v)
	}
	n.restateLocked(s)
}

// beforeLocked notes what a leaving owner has let in so far.
func (s *shard) beforeLocked() {
	if s.before = nil; s.state == Leaving {
		s.before = s.applied.Clone()
	}
}

// Closed says that a replica is not to be counted on until Opened is called
// again: it is being copied anew.
func (n *Node) Closed(id uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.mu.shards[id]; s != nil {
		s.loaded = false
		s.pulling = false
		s.frontier = 0 // it was true of what was held here: a copy has less, and pulls the rest
		clear(s.pending)
		clear(s.excuses)
		n.mu.excuses++
	}
}

// Peers gives the nodes that share a shard with this one, ascending.
func (n *Node) Peers() []uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	var nodes []uint64
	for node, all := range n.sharedLocked() {
		if slices.ContainsFunc(all, func(x shared) bool { return x.shard.state != "" }) {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// Applied gives the batches that a replica holds durably; it is the caller's.
func (n *Node) Applied(id uint64) *model.BatchSet {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.mu.shards[id]; s != nil && s.loaded {
		return s.applied.Clone()
	}
	return &model.BatchSet{}
}

// Counters gives what was counted so far.
func (n *Node) Counters() Counters {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.counters
}

// peerLocked gives another node, made when it is new.
func (n *Node) peerLocked(node uint64) *peer {
	p := n.mu.peers[node]
	if p == nil {
		p = &peer{unacked: make(map[uint64]*shard)}
		n.mu.peers[node] = p
	}
	return p
}

// restateLocked makes the next messages to the other owners carry a statement
// about s.
func (n *Node) restateLocked(s *shard) {
	s.generation++
	for node := range s.views {
		n.mu.peers[node].unacked[s.id] = s
	}
}

// tickLocked notes the time of an event. Events of concurrent callers may come
// out of order; the clock that decides is the highest seen, for a floor that was
// told with a later reading binds.
func (n *Node) tickLocked(now Time) {
	if now.HLC > n.mu.clock {
		n.mu.clock, n.mu.clockAt = now.HLC, now.Mono
	}
	n.mu.mono = max(n.mu.mono, now.Mono)
}

// inOrder gives the entries of a map by ascending key, for a Node must do the
// same thing whenever the same events happen.
func inOrder[K cmp.Ordered, V any](m map[K]V) func(yield func(K, V) bool) {
	return func(yield func(K, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
