package coordinator

import "github.com/varvedb/varve/data"

// Peers finds the data nodes. Nodes does, and tests do.
type Peers interface {
	// Local gives the id of this node, which is asked first.
	Local() uint64
	// Peer gives the peer of a node, or nil where there is no way to it now: a
	// node that does not answer costs nothing then.
	Peer(node uint64) data.Peer
}
