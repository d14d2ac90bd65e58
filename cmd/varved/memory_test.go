package main

import (
	"errors"
	"math"
	"os"
	"runtime/debug"
	"testing"

	"github.com/varvedb/varve/cmd/varved/config"
	"github.com/varvedb/varve/model"
)

func TestMemoryLimitIsWhatWasAskedFor(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	if got := limitMemory(512 << 20); got.total != 512<<20 || debug.SetMemoryLimit(-1) != got.total-got.memtables {
		t.Errorf("limitMemory gave %+v, the runtime has %d", got, debug.SetMemoryLimit(-1))
	}
	debug.SetMemoryLimit(1 << 30)
	if got := limitMemory(0); got.total != 1<<30 {
		t.Errorf("limitMemory made %d of the environment's", got.total)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	machine := machineMemory(os.DirFS("/"))
	if got := limitMemory(0); got.total != max(config.MinMemory, machine/5*3) {
		t.Errorf("limitMemory gave %d of %d", got.total, machine)
	}
}

func TestWritesAreRefusedBeforeQueriesWhenMemoryGetsShort(t *testing.T) {
	off := int64(0)
	g := &memoryGate{limit: 1 << 40, offHeap: func() int64 { return off }}
	if g.Writes() != nil || g.Queries() != nil {
		t.Error("refused with nearly all free")
	}
	off = 1 << 40 / 100 * 92
	if !errors.Is(g.Writes(), model.ErrOverloaded) || g.Queries() != nil {
		t.Errorf("at 92 %%: %v, %v", g.Writes(), g.Queries())
	}
	off = 1 << 40 / 100 * 96
	if !errors.Is(g.Queries(), model.ErrOverloaded) {
		t.Errorf("at 96 %%: %v", g.Queries())
	}
}
