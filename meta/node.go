package meta

import (
	"maps"
	"slices"
)

// Node is a member of the cluster. It is immutable.
type Node struct {
	ID          uint64
	Name        string
	Incarnation uint64 // random, made with the data directory
	Roles       []Role
	Version     string // of the software, at its last start
	Addresses   Addresses
	Labels      map[string]string // set by people; LabelZone has a meaning

	// Starts counts the starts of the data directory. What is known of a node
	// is known of one of its starts.
	Starts uint64

	// Draining says that the node is to be emptied: it gets no new shards, and
	// those that it has are moved to others.
	Draining bool

	run uint64 // random, of the last start

	// replaces are nodes of the same name whose place this one is taking:
	// they are removed, but some shards still name them as owners.
	replaces []uint64
}

// Addresses are where others reach a node, each HOST:PORT, or empty for what it
// does not serve.
type Addresses struct {
	HTTP       string `json:"http,omitempty"`
	RPC        string `json:"rpc,omitempty"`
	MetaClient string `json:"meta_client,omitempty"` // etcd's clients
	MetaPeer   string `json:"meta_peer,omitempty"`   // etcd's other members
}

// LabelZone is the label that tells which nodes fail together: the replicas of
// a shard are spread over its values.
const LabelZone = "zone"

// Has reports whether the node runs a role.
func (n *Node) Has(r Role) bool { return slices.Contains(n.Roles, r) }

// TakesData reports whether the node is to get new shards.
func (n *Node) TakesData() bool { return n.Has(RoleData) && !n.Draining }

// clone gives a copy of n to change.
func (n *Node) clone() *Node {
	to := *n
	to.Roles, to.Labels, to.replaces = slices.Clone(n.Roles), maps.Clone(n.Labels), slices.Clone(n.replaces)
	return &to
}

// Role is a part that a node plays.
type Role string

// The roles of a node; any node may have any of them.
const (
	RoleMeta        Role = "meta"
	RoleData        Role = "data"
	RoleCoordinator Role = "coordinator"
)
