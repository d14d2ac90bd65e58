package main

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestNumbersOfTheKernelAreRead(t *testing.T) {
	tests := []struct {
		text, word string
		want       int64
	}{
		{"MemTotal:       16303060 kB\nMemFree:  1 kB\n", "MemTotal:", 16303060},
		{"536870912\n", "", 536870912},
		{"max\n", "", 0},
		{"", "MemTotal:", 0},
		{"MemFree: 1 kB\n", "MemTotal:", 0},
	}
	for _, test := range tests {
		if got := numberAfter([]byte(test.text), test.word); got != test.want {
			t.Errorf("numberAfter(%q, %q) = %d, want %d", test.text, test.word, got, test.want)
		}
	}
}

func TestMemoryLimitIsWhatWasAskedFor(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	if got := limitMemory(512 << 20); got != 512<<20 || debug.SetMemoryLimit(-1) != got {
		t.Errorf("limitMemory gave %d, the runtime has %d", got, debug.SetMemoryLimit(-1))
	}
	if got := limitMemory(0); got != 512<<20 {
		t.Errorf("limitMemory changed the limit of the environment to %d", got)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	if got := limitMemory(0); got < minMemory || got > machineMemory() && got != minMemory {
		t.Errorf("limitMemory gave %d of %d", got, machineMemory())
	}
}
