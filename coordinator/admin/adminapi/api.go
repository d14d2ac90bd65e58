// Package adminapi is the JSON of the routes under /varve/v1/, for those who
// answer and those who ask.
//
// A node is named by its id, its name, or an address of it. An answer that is
// not 2xx is an Error.
package adminapi

import "time"

// Prefix is that of all routes.
const Prefix = "/varve/v1"

// Error is the answer to what failed.
type Error struct {
	Error string `json:"error"`
}

// Node is a member of the cluster.
type Node struct {
	ID          uint64            `json:"id"`
	Name        string            `json:"name"`
	Roles       []string          `json:"roles"`
	Version     string            `json:"version"`
	HTTP        string            `json:"http_address,omitempty"`
	RPC         string            `json:"rpc_address,omitempty"`
	MetaClient  string            `json:"meta_client_address,omitempty"`
	MetaPeer    string            `json:"meta_peer_address,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Starts      uint64            `json:"starts"`
	Alive       bool              `json:"alive"`
	AbsentSince *time.Time        `json:"absent_since,omitempty"`
	Draining    bool              `json:"draining,omitempty"`
	Self        bool              `json:"self,omitempty"` // it gave this answer

	Shards int `json:"shards"` // that it is an owner of

	// What it says of itself; Error is set, and the rest not, when it did not.
	Bytes     int64  `json:"bytes"` // of its replicas
	FreeBytes uint64 `json:"free_bytes"`
	Error     string `json:"error,omitempty"`

	Certificates []Certificate `json:"certificates,omitempty"`
}

// Certificate is one that a node shows to others.
type Certificate struct {
	Use     string    `json:"use"` // http, rpc or etcd
	File    string    `json:"file"`
	Expires time.Time `json:"expires"`
}

// Has reports whether the node has a role.
func (n *Node) Has(role string) bool {
	for _, r := range n.Roles {
		if r == role {
			return true
		}
	}
	return false
}

// Shard is a shard and its owners.
type Shard struct {
	ID       uint64    `json:"id"`
	Group    uint64    `json:"group"`
	Database string    `json:"database"`
	Policy   string    `json:"retention_policy"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Expires  time.Time `json:"expires,omitzero"`
	Revision uint64    `json:"revision"`
	Wanted   int       `json:"wanted_owners"`
	Owners   []Owner   `json:"owners"`
	Move     *Move     `json:"move,omitempty"`
}

// Owner is a node that keeps a replica of a shard.
type Owner struct {
	Node  uint64 `json:"node"`
	Name  string `json:"name"`
	State string `json:"state"` // joining, active, leaving or rebuild
	Alive bool   `json:"alive"`

	// What the node says of the replica; Known is false when it did not.
	Known  bool          `json:"known"`
	InSync bool          `json:"in_sync"`
	Behind uint64        `json:"behind_batches,omitempty"` // that other owners hold
	Age    time.Duration `json:"behind_age_ns,omitempty"`  // since the owner that was met least recently was met
	Bytes  int64         `json:"bytes"`
	Doing  string        `json:"doing,omitempty"`
	Damage string        `json:"damage,omitempty"`
}

// Move is a change of a shard's owners that is under way.
type Move struct {
	Shard    uint64    `json:"shard"`
	Database string    `json:"database,omitempty"`
	Policy   string    `json:"retention_policy,omitempty"`
	From     string    `json:"from,omitempty"` // the name of the node that goes
	To       string    `json:"to,omitempty"`   // the name of the node that comes
	Why      string    `json:"why"`
	Started  time.Time `json:"started"`
	Total    int64     `json:"total_bytes"` // of the replica that is copied from
	Current  int64     `json:"current_bytes"`
	Doing    string    `json:"doing,omitempty"`
}

// Status is the state of the cluster at a glance.
type Status struct {
	Cluster       string     `json:"cluster"`
	MetaAvailable bool       `json:"meta_available"`
	Nodes         []Node     `json:"nodes"`
	Groups        int        `json:"groups"`
	Shards        int        `json:"shards"`
	Replicas      int        `json:"replicas"`
	Weak          []Shard    `json:"under_replicated"` // fewer active owners that are alive than there should be
	Behind        []Behind   `json:"behind"`
	Moves         []Move     `json:"moves"`
	Rebalance     *Rebalance `json:"rebalance,omitempty"`
	Problems      []string   `json:"problems"` // none: all is well
}

// Behind is a replica that cannot prove that it holds all.
type Behind struct {
	Shard   uint64        `json:"shard"`
	Node    string        `json:"node"`
	Batches uint64        `json:"batches"`
	Age     time.Duration `json:"age_ns"`
	Doing   string        `json:"doing,omitempty"`
}

// Rebalance is a plan, and how far it is.
type Rebalance struct {
	Started time.Time     `json:"started,omitzero"` // not set: it is not carried out
	Round   int           `json:"round,omitempty"`
	Done    int           `json:"done"` // of Moves
	Moves   []PlannedMove `json:"moves"`
}

// PlannedMove is a replica that is to go to another node.
type PlannedMove struct {
	Shard uint64 `json:"shard"`
	From  string `json:"from"`
	To    string `json:"to"`
	Bytes int64  `json:"bytes"`
}

// The states of a Verified.
const (
	Equal       = "equal"
	Unequal     = "unequal"
	Busy        = "busy"        // the owners never held the same batches meanwhile
	Unreachable = "unreachable" // an owner did not say what it holds
)

// Verified is what a comparison of the replicas of a shard has found.
type Verified struct {
	Shard    uint64    `json:"shard"`
	Database string    `json:"database"`
	Policy   string    `json:"retention_policy"`
	State    string    `json:"state"`
	Replicas []Replica `json:"replicas"`
}

// Replica is the content of a replica.
type Replica struct {
	Node  string `json:"node"`
	Rows  int64  `json:"rows"`
	Hash  string `json:"hash,omitempty"`
	Error string `json:"error,omitempty"`
}

// MoveRequest is the body of a request about owners of a shard, each field a
// node: copy (To), move (From, To), remove (From).
type MoveRequest struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// DrainRequest is the body of a request to drain a node.
type DrainRequest struct {
	Cancel bool `json:"cancel,omitempty"`
}

// RemoveRequest is the body of a request to remove a node. Force also takes a
// node that is not alive out of the owners of all its shards.
type RemoveRequest struct {
	Force bool `json:"force,omitempty"`
}

// ReplaceRequest is the body of a request to replace a node by With.
type ReplaceRequest struct {
	With string `json:"with"`
}

// Replaced says what became of a request to replace a node.
type Replaced struct {
	Moving int      `json:"moving"`           // shards
	Failed []string `json:"failed,omitempty"` // why others are not; the drain of the node moves them later
}

// LabelRequest is the body of a request to label a node; an empty value removes
// a label.
type LabelRequest struct {
	Labels map[string]string `json:"labels"`
}

// TruncateRequest is the body of a request to end the current shard groups.
type TruncateRequest struct {
	Delay time.Duration `json:"delay_ns"`
}

// Truncated is the answer to it.
type Truncated struct {
	At     time.Time `json:"at"`
	Groups []uint64  `json:"groups"` // that were ended
}

// Compacted is the answer to a request to compact a shard.
type Compacted struct {
	Nodes  []string `json:"nodes"`            // that have done so
	Failed []string `json:"failed,omitempty"` // why others have not
}

// TokenRequest is the body of a request for a token to join.
type TokenRequest struct {
	Life time.Duration `json:"life_ns"`
}

// Token is the answer to it.
type Token struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// CompactRequest is the body of a request to compact shards, one after the
// other, without waiting for it. None are all.
type CompactRequest struct {
	Shards []uint64 `json:"shards,omitempty"`
}

// Compacting is the answer to it.
type Compacting struct {
	Shards int `json:"shards"`
}
