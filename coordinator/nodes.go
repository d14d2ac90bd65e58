package coordinator

import (
	"github.com/varvedb/varve/data"
	"github.com/varvedb/varve/internal/rpc"
	"github.com/varvedb/varve/meta"
)

// Nodes is the data nodes of a cluster: the one in this process, and over rpc
// the others where the metadata says that they are. It implements Peers.
type Nodes struct {
	local uint64
	here  data.Peer // nil where this node has no data
	meta  *meta.Store
	pool  *rpc.Pool // nil: there are no others
}

var _ Peers = (*Nodes)(nil)

// NewNodes gives the nodes of a cluster as node local sees them. here is nil
// when it keeps no data, pool is nil where it does not speak with others.
func NewNodes(local uint64, here data.Peer, store *meta.Store, pool *rpc.Pool) *Nodes {
	return &Nodes{local: local, here: here, meta: store, pool: pool}
}

// Local implements Peers.
func (n *Nodes) Local() uint64 { return n.local }

// Peer implements Peers.
func (n *Nodes) Peer(node uint64) data.Peer {
	if node == n.local {
		return n.here
	}
	if c := n.conn(node); c != nil {
		return data.NewClient(c)
	}
	return nil
}

// conn gives the way to another node, or nil when it is known not to answer.
func (n *Nodes) conn(node uint64) *rpc.Conn {
	if n.pool == nil {
		return nil
	}
	info := n.meta.Snapshot().Node(node)
	if info == nil || info.Addresses.RPC == "" {
		return nil
	}
	if c := n.pool.Node(node, info.Addresses.RPC); c.Healthy() {
		return c
	}
	return nil
}
