package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Cgroup is a group of processes that may have so much memory together, pages
// of files that cannot be dropped included.
type Cgroup struct{ dir string }

// NewCgroup makes a group with a limit such as 1g, of the second version of cgroups or the first.
func NewCgroup(limit string) (*Cgroup, error) {
	root, file := "/sys/fs/cgroup", "memory.max"
	if _, err := os.Stat(filepath.Join(root, "memory")); err == nil {
		root, file = filepath.Join(root, "memory"), "memory.limit_in_bytes"
	}
	dir, err := os.MkdirTemp(root, "varve-bench-")
	if err != nil {
		return nil, fmt.Errorf("limit memory: %w", err)
	}
	g := &Cgroup{dir}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(limit), 0o644); err != nil {
		g.Remove()
		return nil, fmt.Errorf("limit memory: %w", err)
	}
	return g, nil
}

// Add puts a process into the group.
func (g *Cgroup) Add(pid int) error {
	return os.WriteFile(filepath.Join(g.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644)
}

// Remove removes the group, which has no process any more.
func (g *Cgroup) Remove() { os.Remove(g.dir) }
