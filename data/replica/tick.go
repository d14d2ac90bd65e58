package replica

// Tick says that time has passed. A node that shares no shard is asked for no
// messages, so this is what moves its cut-off on; without it the versions of all
// its batches would be remembered.
func (n *Node) Tick(now Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tickLocked(now)
	n.settleLocked()
}
