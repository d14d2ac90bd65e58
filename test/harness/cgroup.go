package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// Cgroup is a group of processes that may have so much memory together, pages
// of files that cannot be dropped included, and so much of the processors.
type Cgroup struct{ dirs []string } // one for each hierarchy

const cgroups = "/sys/fs/cgroup"

// NewCgroup makes a group with a limit of memory such as 1g, of the second
// version of cgroups or the first.
func NewCgroup(memory string) (*Cgroup, error) {
	g := &Cgroup{}
	file := "memory.limit_in_bytes"
	if !firstVersion("memory") {
		file = "memory.max"
	}
	if err := g.limit("memory", file, memory); err != nil {
		return nil, err
	}
	// Where there is swap, the limit would otherwise be no limit.
	for file, value := range map[string]string{"memory.swap.max": "0", "memory.memsw.limit_in_bytes": memory} {
		file = filepath.Join(g.dirs[0], file)
		if _, err := os.Stat(file); err != nil {
			continue // of the other version, or of a kernel without swap
		}
		if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
			g.Remove()
			return nil, fmt.Errorf("limit swap: %w", err)
		}
	}
	return g, nil
}

// NoSwap keeps the memory of the group, which has this limit, out of swap. A
// machine that does not count swap has none to keep it out of.
func (g *Cgroup) NoSwap(memory string) error {
	file, value := "memory.swap.max", "0"
	if firstVersion("memory") {
		file, value = "memory.memsw.limit_in_bytes", memory
	}
	err := os.WriteFile(filepath.Join(g.dirs[0], file), []byte(value), 0o644)
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// SetCPUs bounds what the processes of the group have of the processors to n of
// them. It is called before the first Add.
func (g *Cgroup) SetCPUs(n float64) error {
	const period = 100_000 // microseconds
	quota := strconv.Itoa(int(n * period))
	if firstVersion("cpu") {
		return g.limit("cpu", "cpu.cfs_quota_us", quota)
	}
	return g.limit("cpu", "cpu.max", quota+" "+strconv.Itoa(period))
}

// firstVersion reports whether a controller has a hierarchy of its own.
func firstVersion(controller string) bool {
	_, err := os.Stat(filepath.Join(cgroups, controller))
	return err == nil
}

// limit sets a limit, in the directory that the group has in the hierarchy.
func (g *Cgroup) limit(controller, file, value string) error {
	var dir string
	switch {
	case !firstVersion(controller) && len(g.dirs) > 0:
		dir = g.dirs[0]
	default:
		root := cgroups
		if firstVersion(controller) {
			root = filepath.Join(cgroups, controller)
		}
		var err error
		if dir, err = os.MkdirTemp(root, "varve-bench-"); err != nil {
			return fmt.Errorf("limit %s: %w", controller, err)
		}
		g.dirs = append(g.dirs, dir)
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0o644); err != nil {
		g.Remove()
		return fmt.Errorf("limit %s: %w", controller, err)
	}
	return nil
}

// Command gives a command that starts in the group and so sees its limits.
func (g *Cgroup) Command(binary string, args ...string) *exec.Cmd {
	// A shell puts itself into the group and becomes the program.
	script := "exec \"$@\""
	for _, dir := range g.dirs {
		script = fmt.Sprintf("echo $$ >'%s' && %s", filepath.Join(dir, "cgroup.procs"), script)
	}
	return exec.Command("/bin/sh", append([]string{"-c", script, "sh", binary}, args...)...)
}

// Add puts a process into the group.
func (g *Cgroup) Add(pid int) error {
	for _, dir := range g.dirs {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes the group, which has no process any more.
func (g *Cgroup) Remove() {
	for _, dir := range g.dirs {
		os.Remove(dir)
	}
}
