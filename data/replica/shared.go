package replica

// shared is a replica of this node together with the view of another owner.
type shared struct {
	shard *shard
	view  *view
}

// sharedLocked gives, by node, the shards that other owners have, too. It is
// kept until owners change: at rest each message asks for it, about thousands
// of shards.
func (n *Node) sharedLocked() map[uint64][]shared {
	if n.mu.shared == nil {
		n.mu.shared = make(map[uint64][]shared)
		for _, s := range inOrder(n.mu.shards) {
			for node, v := range s.views {
				n.mu.shared[node] = append(n.mu.shared[node], shared{s, v})
			}
		}
	}
	return n.mu.shared
}

// ownersChangedLocked is called after a change of shards or of their views.
func (n *Node) ownersChangedLocked() { n.mu.shared = nil }
