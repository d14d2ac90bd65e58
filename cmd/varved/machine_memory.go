package main

import (
	"bytes"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// machineMemory gives the memory of the machine, or the least that the control
// groups of this process leave it of that: its own one, which systemd or an
// operator made, and all above it. root is the root of the file system.
func machineMemory(root fs.FS) int64 {
	total := int64(4 << 30) // where the machine does not say
	if b, err := fs.ReadFile(root, "proc/meminfo"); err == nil {
		if kib := numberAfter(b, "MemTotal:"); kib > 0 {
			total = kib << 10
		}
	}
	for _, name := range memoryLimits(root) {
		if b, err := fs.ReadFile(root, name); err == nil {
			if n := numberAfter(b, ""); n > 0 { // "max" is no limit
				total = min(total, n)
			}
		}
	}
	return total
}

// memoryLimits names the files, some of which are not there, that may hold a
// limit: of version 2 of control groups, alone or beside the first, and of
// version 1. A container may see its group as the root while proc names it as
// the host does; so the root counts always, and what is not there is no limit.
func memoryLimits(root fs.FS) (files []string) {
	own, _ := fs.ReadFile(root, "proc/self/cgroup")
	for _, version := range []struct {
		controllers string // that a line of proc names it by
		mounts      []string
		limits      []string
	}{
		// Beyond memory.high the kernel slows a process down to get pages back.
		{"", []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}, []string{"memory.max", "memory.high"}},
		{"memory", []string{"sys/fs/cgroup/memory"}, []string{"memory.limit_in_bytes"}},
	} {
		for _, group := range ancestry(groupOf(own, version.controllers)) {
			for _, mount := range version.mounts {
				for _, limit := range version.limits {
					files = append(files, path.Join(mount, group, limit))
				}
			}
		}
	}
	return files
}

// groupOf gives the path of the group that /proc/self/cgroup names for a
// controller, in lines like "4:cpu,memory:/a/b"; "" is version 2. It is the root
// when none is named, or one outside what this process can see.
func groupOf(own []byte, controller string) string {
	for line := range strings.Lines(string(own)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 || strings.HasPrefix(parts[2], "/..") {
			continue
		}
		for name := range strings.SplitSeq(parts[1], ",") {
			if name == controller {
				return path.Clean("/" + parts[2])
			}
		}
	}
	return "/"
}

// ancestry gives a path and all above it, up to the root.
func ancestry(group string) []string {
	all := []string{group}
	for group != "/" {
		group = path.Dir(group)
		all = append(all, group)
	}
	return all
}

// numberAfter gives the number behind a word, or 0.
func numberAfter(b []byte, word string) int64 {
	_, rest, ok := bytes.Cut(b, []byte(word))
	if fields := bytes.Fields(rest); ok && len(fields) > 0 {
		if n, err := strconv.ParseInt(string(fields[0]), 10, 64); err == nil {
			return n
		}
	}
	return 0
}
