package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// cgroup is a group of processes that may have so much memory together, pages
// of files that cannot be dropped included.
type cgroup struct{ dir string }

// newCgroup makes a group, of the second version of cgroups or the first.
func newCgroup(limit string) (*cgroup, error) {
	root, file := "/sys/fs/cgroup", "memory.max"
	if _, err := os.Stat(filepath.Join(root, "memory")); err == nil {
		root, file = filepath.Join(root, "memory"), "memory.limit_in_bytes"
	}
	dir, err := os.MkdirTemp(root, "varve-bench-")
	if err != nil {
		return nil, fmt.Errorf("limit memory: %w", err)
	}
	g := &cgroup{dir}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(limit), 0o644); err != nil {
		g.remove()
		return nil, fmt.Errorf("limit memory: %w", err)
	}
	return g, nil
}

func (g *cgroup) add(pid int) error {
	return os.WriteFile(filepath.Join(g.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
}

// remove removes the group, which has no process any more.
func (g *cgroup) remove() { os.Remove(g.dir) }
