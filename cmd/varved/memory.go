package main

import (
	"bytes"
	"math"
	"os"
	"runtime/debug"
	"strconv"
)

// minMemory is what a server needs to be of use.
const minMemory = 128 << 20

// limitMemory tells the runtime how much memory to stay within, and gives that
// bound: asked, or GOMEMLIMIT, or four fifths of what the container or the
// machine has.
func limitMemory(asked int64) int64 {
	if asked == 0 {
		if set := debug.SetMemoryLimit(-1); set != math.MaxInt64 {
			return set
		}
		asked = max(minMemory, machineMemory()/5*4)
	}
	debug.SetMemoryLimit(asked)
	return asked
}

// machineMemory gives the memory of the container, or else of the machine.
func machineMemory() int64 {
	total := int64(4 << 30) // where the machine does not say
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if kib := numberAfter(b, "MemTotal:"); kib > 0 {
			total = kib << 10
		}
	}
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if b, err := os.ReadFile(name); err == nil {
			if n := numberAfter(b, ""); n > 0 {
				total = min(total, n)
			}
		}
	}
	return total
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
