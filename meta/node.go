package meta

// Node is a member of the cluster. It is immutable.
type Node struct {
	ID          uint64
	Name        string
	Incarnation uint64 // random, made with the data directory
	Roles       []Role
	Version     string // of the software, at its last start
}

// Has reports whether the node runs a role.
func (n *Node) Has(r Role) bool {
	for _, have := range n.Roles {
		if have == r {
			return true
		}
	}
	return false
}

// Role is a part that a node plays.
type Role string

// The roles of a node; any node may have any of them.
const (
	RoleMeta        Role = "meta"
	RoleData        Role = "data"
	RoleCoordinator Role = "coordinator"
)
