package graphite

import "strings"

// matcher finds the template for a path. Filters are a tree of the parts of
// paths; a filter is also for paths that go on after its end.
type matcher struct {
	root      node
	otherwise *template
}

// node is one part of filters.
type node struct {
	children map[string]*node
	template *template // nil: none for a path that leaves the tree here
}

// anyPart is the part of a filter that every part of a path matches which no
// other child of its node does.
const anyPart = "*"

func (m *matcher) add(f filtered) {
	if f.filter == "" {
		m.otherwise = f.template
		return
	}
	n := &m.root
	for _, part := range strings.Split(f.filter, ".") {
		child := n.children[part]
		if child == nil {
			child = new(node)
			if part == anyPart {
				child.template = n.template // of the filter without it
			}
			if n.children == nil {
				n.children = make(map[string]*node)
			}
			n.children[part] = child
		}
		n = child
	}
	n.template = f.template
}

// find goes down the tree without ever going back: where a part has a child of
// its own, what is below the * beside it does not count.
func (m *matcher) find(path string) *template {
	n := &m.root
	for more := true; more && len(n.children) > 0; {
		var part string
		part, path, more = strings.Cut(path, ".")
		child := n.children[part]
		if child == nil {
			child = n.children[anyPart]
		}
		if child == nil {
			break
		}
		n = child
	}
	if n.template == nil {
		return m.otherwise
	}
	return n.template
}
