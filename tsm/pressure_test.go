package tsm

import (
	"testing"
	"time"
)

func TestBatchesWaitLongerTheLessMemoryIsLeft(t *testing.T) {
	last := time.Duration(0)
	for used := range int64(1000) {
		wait := memoryWait(used, 1000)
		switch {
		case wait < last:
			t.Fatalf("%v with %d of 1000 in use, %v with one less", wait, used, last)
		case used <= 500 && wait != 0:
			t.Fatalf("%v with %d of 1000 in use, want no wait up to a half", wait, used)
		case wait > maxMemoryWait:
			t.Fatalf("%v with %d of 1000 in use, want at most %v", wait, used, maxMemoryWait)
		}
		last = wait
	}
	if last < maxMemoryWait*9/10 {
		t.Errorf("%v with 999 of 1000 in use, want about %v", last, maxMemoryWait)
	}
	if wait := memoryWait(1001, 1000); wait != maxRoomWait {
		t.Errorf("%v with nothing left, want %v", wait, maxRoomWait)
	}
}
