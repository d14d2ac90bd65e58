package meta

import (
	"fmt"
	"unicode/utf8"
)

// NodeSpec is what a node says of itself when it starts.
type NodeSpec struct {
	Name      string
	Roles     []Role
	Version   string // of the software
	Addresses Addresses
	Labels    map[string]string // added to those that the node has
}

// Bounds of what is said of a node: every node keeps it in memory.
const (
	maxLabels       = 64
	maxLabelBytes   = 255
	maxAddressBytes = 512
)

func (s *NodeSpec) check() error {
	if err := checkName(s.Name); err != nil {
		return fmt.Errorf("node name %q: %w", s.Name, err)
	}
	for _, r := range s.Roles {
		if !r.valid() {
			return invalid(fmt.Sprintf("unknown role %q", r))
		}
	}
	a := s.Addresses
	for _, address := range []string{a.HTTP, a.RPC, a.MetaClient, a.MetaPeer} {
		if len(address) > maxAddressBytes || !utf8.ValidString(address) {
			return invalid(fmt.Sprintf("address %.40q is not one", address))
		}
	}
	return checkLabels(s.Labels)
}

func (r Role) valid() bool {
	switch r {
	case RoleMeta, RoleData, RoleCoordinator:
		return true
	}
	return false
}

func checkLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return invalid(fmt.Sprintf("a node may have %d labels, not %d", maxLabels, len(labels)))
	}
	for name, value := range labels {
		if err := checkName(name); err != nil {
			return fmt.Errorf("label %q: %w", name, err)
		}
		if len(value) > maxLabelBytes || !utf8.ValidString(value) {
			return invalid(fmt.Sprintf("label %q has a value that is too long or not UTF-8", name))
		}
	}
	return nil
}
