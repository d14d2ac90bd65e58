package coordinator

import "github.com/varvedb/varve/data"

// Peers finds the data nodes. It is not changed once in use.
type Peers struct {
	Local  uint64 // the id of this node, which is asked first
	ByNode map[uint64]data.Peer
}

// Peer gives the peer of a node, or nil where it cannot be reached.
func (p *Peers) Peer(node uint64) data.Peer { return p.ByNode[node] }
