package hlc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// reading takes one reading, which must come.
func reading(t *testing.T, c *Clock) model.HLC {
	t.Helper()
	h, err := c.Now()
	if err != nil {
		t.Fatalf("Now() gave %v", err)
	}
	return h
}

func openClock(t *testing.T, fs vfs.FS, wall *time.Time) *Clock {
	t.Helper()
	c, err := Open(fs, "", func() time.Time { return *wall })
	if err != nil {
		t.Fatalf("Open gave %v", err)
	}
	return c
}

func TestClockRisesThoughTheWallClockDoesNot(t *testing.T) {
	wall := time.UnixMilli(1_700_000_000_000)
	c := openClock(t, vfs.NewMem(), &wall)
	last := reading(t, c)
	for i, step := range []time.Duration{0, 0, -time.Hour, time.Millisecond, -time.Minute, 2 * time.Hour, 0} {
		wall = wall.Add(step)
		next := reading(t, c)
		if next <= last {
			t.Fatalf("step %d: reading %d after %d", i, next, last)
		}
		last = next
	}
}

func TestClockRisesOverACrashAtAnyMoment(t *testing.T) {
	for _, kept := range []bool{false, true} {
		mem := vfs.NewMem()
		wall := time.UnixMilli(1_700_000_000_000)
		c := openClock(t, mem, &wall)
		for i := range 200 {
			wall = wall.Add(37 * time.Millisecond)
			last := reading(t, c)
			// A crash now, and a wall clock that is an hour behind afterwards.
			back := wall.Add(-time.Hour)
			again := openClock(t, mem.CrashClone(func() bool { return kept }), &back)
			if next := reading(t, again); next <= last {
				t.Fatalf("crash after reading %d (unsynced writes kept: %v): %d after %d", i, kept, next, last)
			}
		}
	}
}

func TestSettledClockIsNotAheadOfTheMachines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		first, err := Open(mem, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		reading(t, first)
		again, err := Open(mem, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		again.Settle(t.Context())
		time.Sleep(time.Millisecond)
		if h := reading(t, again); h.Time().After(time.Now()) {
			t.Errorf("reading %v at %v", h.Time(), time.Now())
		}
	})
}

func TestClockGivesNothingItCouldNotPromise(t *testing.T) {
	broken := false
	disk := vfs.NewFailing(vfs.NewMem(), func(op vfs.Op) error {
		if broken && op.Kind == vfs.OpSync {
			return errors.New("disk gone")
		}
		return nil
	})
	wall := time.UnixMilli(1_700_000_000_000)
	c := openClock(t, disk, &wall)
	first := reading(t, c)
	broken = true
	wall = wall.Add(time.Hour)
	if h, err := c.Now(); !errors.Is(err, model.ErrUnavailable) {
		t.Fatalf("Now() without a disk gave %d, %v; want ErrUnavailable", h, err)
	}
	broken = false
	if h := reading(t, c); h <= first {
		t.Fatalf("reading %d after %d", h, first)
	}
}

func TestClockRefusesADamagedPromise(t *testing.T) {
	mem := vfs.NewMem()
	wall := time.UnixMilli(1_700_000_000_000)
	reading(t, openClock(t, mem, &wall))
	good, err := vfs.ReadFile(mem, promiseFile, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x40
		if err := vfs.WriteFile(mem, promiseFile, bad); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(mem, "", nil); !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("byte %d damaged: Open gave %v, want ErrCorrupt", i, err)
		}
	}
	if err := vfs.WriteFile(mem, promiseFile, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(mem, "", nil); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("empty file: Open gave %v, want ErrCorrupt", err)
	}
}

func TestFormatDescribesThePromise(t *testing.T) {
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "```promise\n")
	example, _, closed := strings.Cut(rest, "\n```")
	if !ok || !closed {
		t.Fatal("FORMAT.md has no example of a promise")
	}
	want := fmt.Sprintf("% x", encodePromise(model.NewHLC(time.UnixMilli(1_700_000_000_000))+5))
	if example != want {
		t.Errorf("FORMAT.md says %s, the code %s", example, want)
	}
}

func FuzzPromiseIsReadBackOrRefused(f *testing.F) {
	f.Add(encodePromise(1))
	f.Add([]byte("VCK\x01"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		promise, err := decodePromise(b)
		if err == nil && !bytes.Equal(encodePromise(promise), b) {
			t.Errorf("% x reads as %d, which is written as % x", b, promise, encodePromise(promise))
		}
	})
}

func TestClockGivesEachReadingOnce(t *testing.T) {
	wall := time.UnixMilli(1_700_000_000_000)
	c := openClock(t, vfs.NewMem(), &wall)
	var mu sync.Mutex
	seen := make(map[model.HLC]bool)
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			for range 500 {
				h, err := c.Now()
				mu.Lock()
				if err != nil || seen[h] {
					t.Errorf("reading %d, error %v, seen before %v", h, err, seen[h])
				}
				seen[h] = true
				mu.Unlock()
			}
		})
	}
	done.Wait()
}
