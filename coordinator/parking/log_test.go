package parking

import (
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

func open(t *testing.T, fs vfs.FS, cfg Config) *Log {
	t.Helper()
	l, err := Open(fs, "d/parking", cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatalf("Open gave %v", err)
	}
	return l
}

// rows makes a batch that can be told from others.
func rows(n int64) *model.Batch {
	key := []byte("m")
	return &model.Batch{
		Series: []model.Series{{Hash: model.HashSeriesKey(key, 1), Key: key}},
		Tables: []model.Table{{Measurement: "m", Series: []uint32{0}, Times: []int64{n}}},
	}
}

// number gives what rows was given.
func number(b *model.Batch) int64 { return b.Tables[0].Times[0] }

// all gives what waits, in order.
func all(t *testing.T, l *Log) []*Entry {
	t.Helper()
	var out []*Entry
	for id := uint64(0); ; {
		e, err := l.Next(id)
		if err != nil {
			t.Fatalf("Next gave %v", err)
		}
		if e == nil {
			return out
		}
		out = append(out, e)
		id = e.ID
	}
}

var place = Place{Database: 1, Policy: 2, Group: 3, Shard: 4}

func version(n uint64) model.Version {
	id := model.BatchID{Origin: 7, Epoch: 9, Seq: n}
	return model.Version{HLC: model.HLC(n), ID: id}
}

func TestParkedBatchesComeBackInOrderWithTheirStamps(t *testing.T) {
	mem := vfs.NewMem()
	cfg := DefaultConfig()
	cfg.FileBytes = 200 // several files
	l := open(t, mem, cfg)
	for n := range int64(10) {
		if err := l.Park(place, rows(n)); err != nil {
			t.Fatal(err)
		}
	}
	first := all(t, l)
	if err := l.Stamp(first[3].ID, version(5)); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 1, 6} {
		if err := l.Done(first[i].ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, mem, cfg)
	want := []int64{2, 3, 4, 5, 7, 8, 9}
	got := all(t, l)
	if len(got) != len(want) {
		t.Fatalf("%d batches came back, want %d", len(got), len(want))
	}
	for i, e := range got {
		if number(e.Batch) != want[i] || e.Place != place || (e.Stamp != model.Version{}) != (want[i] == 3) {
			t.Errorf("entry %d is batch %d of %v stamped %v", i, number(e.Batch), e.Place, e.Stamp)
		}
		if want[i] == 3 && (e.Stamp != version(5) || e.Batch.ID != version(5).ID || e.Batch.Version != version(5)) {
			t.Errorf("stamp %v, batch %v %v", e.Stamp, e.Batch.ID, e.Batch.Version)
		}
		if err := l.Done(e.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if names, err := mem.List("d/parking"); err != nil || len(names) > 1 {
		t.Errorf("files %v are left, %v", names, err)
	}
}

func TestAFullLogTakesNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.MaxBytes = 1000
		l := open(t, vfs.NewMem(), cfg)
		n := 0
		var err error
		for ; err == nil && n < 100; n++ {
			err = l.Park(place, rows(int64(n)))
		}
		if !errors.Is(err, model.ErrOverloaded) || n < 3 {
			t.Errorf("batch %d gave %v, want ErrOverloaded", n, err)
		}
		if err := l.Stamp(1, version(1)); err != nil {
			t.Errorf("Stamp in a full log gave %v", err)
		}
		if err := l.Done(1); err != nil {
			t.Errorf("Done in a full log gave %v", err)
		}

		cfg = DefaultConfig()
		cfg.MaxEntries = 2
		l = open(t, vfs.NewMem(), cfg)
		for n := range int64(3) {
			if err := l.Park(place, rows(n)); (err == nil) != (n < 2) {
				t.Errorf("batch %d of 2 at most gave %v", n, err)
			}
		}

		cfg = DefaultConfig()
		l = open(t, vfs.NewMem(), cfg)
		if err := l.Park(place, rows(1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(cfg.MaxAge + time.Second)
		if err := l.Park(place, rows(2)); !errors.Is(err, model.ErrOverloaded) {
			t.Errorf("with a batch that is too old Park gave %v", err)
		}
		if got := all(t, l); len(got) != 1 {
			t.Errorf("%d batches wait, want the old one still", len(got))
		}
	})
}

// The script below is cut by a crash before each operation on the disk.
func TestACrashLosesNothingThatWasPromised(t *testing.T) {
	rnd := seeded.Rand(t)
	keeps := map[string]func() bool{
		"all": func() bool { return true }, "nothing": func() bool { return false },
		"some": func() bool { return rnd.IntN(2) == 0 },
	}
	cfg := DefaultConfig()
	cfg.FileBytes = 150
	var (
		mem    = vfs.NewMem()
		parked = make(map[int64]bool)          // acknowledged
		stamps = make(map[int64]model.Version) // acknowledged
		ended  = make(map[int64]bool)          // begun to be taken out
	)
	check := func(when string) {
		for what, keep := range keeps {
			l := open(t, mem.CrashClone(keep), cfg)
			found := make(map[int64]bool)
			for _, e := range all(t, l) {
				n := number(e.Batch)
				if found[n] {
					t.Fatalf("%s, kept %s: batch %d comes twice", when, what, n)
				}
				found[n] = true
				if v, ok := stamps[n]; ok && e.Stamp != v {
					t.Fatalf("%s, kept %s: batch %d is stamped %v, promised was %v", when, what, n, e.Stamp, v)
				}
			}
			for n := range parked {
				if !found[n] && !ended[n] {
					t.Fatalf("%s, kept %s: batch %d is lost", when, what, n)
				}
			}
			if err := l.Park(place, rows(99)); err != nil {
				t.Fatalf("%s, kept %s: Park after the crash gave %v", when, what, err)
			}
		}
	}
	ops := 0
	disk := vfs.NewFailing(mem, func(op vfs.Op) error {
		ops++
		check(op.String())
		return nil
	})
	l := open(t, disk, cfg)
	for n := range int64(12) {
		if err := l.Park(place, rows(n)); err != nil {
			t.Fatal(err)
		}
		parked[n] = true
		if n%3 == 0 {
			continue
		}
		e, err := l.Next(0)
		if err != nil {
			t.Fatal(err)
		}
		id, which := e.ID, number(e.Batch)
		if n%3 == 1 {
			delete(stamps, which) // another stamp may be durable before it is promised
			if err := l.Stamp(id, version(uint64(n)+1)); err != nil {
				t.Fatal(err)
			}
			stamps[which] = version(uint64(n) + 1)
			continue
		}
		ended[which] = true
		if err := l.Done(id); err != nil {
			t.Fatal(err)
		}
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check("the end")
	if ops < 50 {
		t.Errorf("only %d operations were cut", ops)
	}
}

// A record that could not be synced must not be taken for durable because a
// later one in another file was.
func TestAFailedSyncIsNotForgotten(t *testing.T) {
	for nth := int64(1); nth < 12; nth++ {
		mem := vfs.NewMem()
		gone := errors.New("disk gone")
		disk := vfs.NewFailing(mem, vfs.FailNth(nth, gone, vfs.OpSync, vfs.OpWrite, vfs.OpSyncDir))
		l, err := Open(disk, "d/parking", DefaultConfig(), slog.New(slog.DiscardHandler), nil)
		if err != nil {
			continue
		}
		acknowledged := make(map[int64]bool)
		for n := range int64(4) {
			if err := l.Park(place, rows(n)); err == nil {
				acknowledged[n] = true
			} else if !errors.Is(err, model.ErrUnavailable) {
				t.Errorf("Park on a failing disk gave %v, want ErrUnavailable", err)
			}
		}
		if len(acknowledged) < 3 {
			t.Errorf("operation %d failed: only %d of 4 batches were parked", nth, len(acknowledged))
		}
		again := open(t, mem.CrashClone(func() bool { return false }), DefaultConfig())
		for _, e := range all(t, again) {
			delete(acknowledged, number(e.Batch))
		}
		if len(acknowledged) > 0 {
			t.Errorf("operation %d failed: batches %v are lost", nth, acknowledged)
		}
	}
}

func TestADamagedBatchStopsNoOther(t *testing.T) {
	mem := vfs.NewMem()
	l := open(t, mem, DefaultConfig())
	for n := range int64(3) {
		if err := l.Park(place, rows(n)); err != nil {
			t.Fatal(err)
		}
	}
	name := "d/parking/" + fileName(1)
	b, err := vfs.ReadFile(mem, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	b[l.mu.pending[2].offset+headBytes+5] ^= 1
	if err := vfs.WriteFile(mem, name, b); err != nil {
		t.Fatal(err)
	}
	got := all(t, l)
	if len(got) != 2 || number(got[0].Batch) != 0 || number(got[1].Batch) != 2 {
		t.Errorf("%d batches can be delivered, want the 2 good ones", len(got))
	}
}

func TestFormatDescribesTheRecords(t *testing.T) {
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range examples() {
		_, rest, ok := strings.Cut(string(doc), "```"+name+"\n")
		example, _, closed := strings.Cut(rest, "\n```")
		want := hex.EncodeToString(r.append(nil))
		if !ok || !closed || strings.Join(strings.Fields(example), "") != want {
			t.Errorf("FORMAT.md says of %s %q, the code %s", name, example, want)
		}
	}
}

func examples() map[string]record {
	return map[string]record{
		"entry": {kind: kindEntry, id: 5, parked: time.UnixMilli(1_700_000_000_000), place: place, batch: []byte("batch")},
		"stamp": {kind: kindStamp, id: 5, stamp: version(3)},
		"done":  {kind: kindDone, id: 5},
	}
}

func FuzzRecordsAreReadBackOrRefused(f *testing.F) {
	for _, r := range examples() {
		f.Add(r.append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, err := cutRecord(b)
		if err != nil {
			if !errors.Is(err, model.ErrCorrupt) && !errors.Is(err, model.ErrNotSupported) {
				t.Errorf("kind of %v", err)
			}
			return
		}
		again, m, err := cutRecord(r.append(nil))
		if err != nil || n < m || string(again.append(nil)) != string(r.append(nil)) {
			t.Errorf("%x reads as %+v, written and read again as %+v, %v", b[:n], r, again, err)
		}
	})
}
