package wal_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/wal"
)

// inspect gives the batches of a file, the bytes that are damaged, and the rest.
func inspect(t *testing.T, fs vfs.FS, name string) (seqs []uint64, damaged int64, in wal.Inspected, records []wal.Record) {
	t.Helper()
	in, err := wal.Inspect(fs, name, func(r wal.Record) error {
		records = append(records, r)
		switch {
		case errors.Is(r.Err, model.ErrCorrupt):
			damaged += r.Bytes
		case r.Batch != nil:
			seqs = append(seqs, r.Batch.ID.Seq)
		}
		return nil
	})
	must(t, err)
	return seqs, damaged, in, records
}

func TestInspectGivesEveryRecord(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	add(t, l, 1, 2)
	_, err := l.Rotate()
	must(t, err)
	add(t, l, 3)
	must(t, l.Close())
	names, err := wal.Files(m, "shard/log")
	must(t, err)
	if len(names) != 2 {
		t.Fatalf("files %q, want 2", names)
	}
	seqs, damaged, in, records := inspect(t, m, names[0])
	if !slices.Equal(seqs, []uint64{1, 2}) || damaged != 0 || in.ID != 1 || in.First != 1 || in.Torn != 0 {
		t.Errorf("first file: batches %v, %d bytes damaged, %+v", seqs, damaged, in)
	}
	if records[1].LSN != 2 || records[1].Offset != records[0].Offset+records[0].Bytes {
		t.Errorf("second record is %+v after %+v", records[1], records[0])
	}
	seqs, _, _, records = inspect(t, m, names[1])
	if !slices.Equal(seqs, []uint64{3}) || !records[len(records)-1].End {
		t.Errorf("second file: batches %v, last record %+v, want an end", seqs, records[len(records)-1])
	}
}

func TestInspectTellsATornEndFromDamage(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	add(t, l, 1, 2, 3)
	must(t, l.Close())
	names, err := wal.Files(m, "shard/log")
	must(t, err)
	whole, err := vfs.ReadFile(m, names[0], 1<<20)
	must(t, err)
	_, _, _, records := inspect(t, m, names[0])

	must(t, vfs.WriteFile(m, names[0], whole[:records[2].Offset+5]))
	seqs, damaged, in, _ := inspect(t, m, names[0])
	if !slices.Equal(seqs, []uint64{1, 2}) || damaged != 0 || in.Torn != 5 {
		t.Errorf("cut short: batches %v, %d bytes damaged, %d torn, want 1 and 2, 0, 5", seqs, damaged, in.Torn)
	}

	bad := bytes.Clone(whole)
	bad[records[1].Offset+20] ^= 1
	must(t, vfs.WriteFile(m, names[0], bad))
	seqs, damaged, in, _ = inspect(t, m, names[0])
	if !slices.Equal(seqs, []uint64{1, 3}) || damaged != records[1].Bytes || in.Torn != 0 {
		t.Errorf("second record damaged: batches %v, %d bytes damaged of %d, %d torn", seqs, damaged, records[1].Bytes, in.Torn)
	}
	after, err := vfs.ReadFile(m, names[0], 1<<20)
	must(t, err)
	if !bytes.Equal(after, bad) {
		t.Error("Inspect changed the file")
	}
}

func TestInspectSurvivesAnyBytes(t *testing.T) {
	m := vfs.NewMem()
	l, _ := open(t, m, testConfig())
	add(t, l, 1, 2)
	must(t, l.Close())
	names, err := wal.Files(m, "shard/log")
	must(t, err)
	whole, err := vfs.ReadFile(m, names[0], 1<<20)
	must(t, err)
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 0x81
		must(t, vfs.WriteFile(m, names[0], bad))
		if _, err := wal.Inspect(m, names[0], func(wal.Record) error { return nil }); err != nil && !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("byte %d: %v", i, err)
		}
		must(t, vfs.WriteFile(m, names[0], whole[:i]))
		if _, err := wal.Inspect(m, names[0], func(wal.Record) error { return nil }); err != nil && !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("first %d bytes: %v", i, err)
		}
	}
}
