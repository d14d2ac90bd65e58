package segment

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

func TestOpenReadsAFileOfAFileSystem(t *testing.T) {
	r := seeded.Rand(t)
	d := randomData(r, true)
	content, _ := d.write(t, r, 0)
	for _, x := range []struct {
		name   string
		fs     vfs.FS
		mapped bool
	}{{"memory", vfs.NewMem(), true}, {"machine, mapped", vfs.OS, true}, {"machine, read", vfs.OS, false}} {
		t.Run(x.name, func(t *testing.T) {
			fs, path := x.fs, t.TempDir()+"/a.seg"
			if x.name == "memory" {
				path = "a.seg"
			}
			f, err := fs.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write(content.content); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(f.Sync(), f.Close()); err != nil {
				t.Fatal(err)
			}
			if f, err = fs.Open(path); err != nil {
				t.Fatal(err)
			}
			reader, err := open(f, x.mapped)
			if err != nil {
				t.Fatal(err)
			}
			d.check(t, reader)
			if err := errors.Join(reader.Close(), reader.Close()); err != nil {
				t.Errorf("close twice: %v", err)
			}
		})
	}
}

func TestReaderServesSeveralGoroutines(t *testing.T) {
	r := seeded.Rand(t)
	d := randomData(r, false)
	f, _ := d.write(t, r, 2000)
	reader, err := OpenBytes(f.content)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := readAll(reader); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// What was verified once is not verified again, and a part that is damaged
// makes unreadable what it holds and nothing else.
func TestDamageOfOneFieldLeavesTheOthers(t *testing.T) {
	rows := regular(0, second, 500)
	other := rows.Columns[0]
	other.Field.Name = "w"
	rows.Columns = append(rows.Columns, other)
	f := &file{}
	w := NewWriter(f, Options{})
	if err := w.Append("m", 1, rows); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	reader, err := OpenBytes(f.content)
	if err != nil {
		t.Fatal(err)
	}
	offset, _ := reader.foot.measurements[0].segments[0].bounds(partVersions + 1) // data of v
	f.content[offset] ^= 1
	var c Cursor
	c.Reset(reader, "m", reader.Fields("m"))
	if ok, err := c.Next(); !ok || err != nil {
		t.Fatalf("next: %v %v", ok, err)
	}
	for range 2 {
		if _, err := c.Column(0, 0); !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("damaged column: %v", err)
		}
		if _, err := c.Column(0, 1); err != nil {
			t.Errorf("other column: %v", err)
		}
		if _, err := c.Times(0); err != nil {
			t.Errorf("times: %v", err)
		}
	}
	if err := Verify(reader); !errors.Is(err, model.ErrCorrupt) {
		t.Errorf("verify: %v", err)
	}
}

// full is a file on a disk that takes no more after some bytes.
type full struct {
	file
	room int
}

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return 0, syscall.ENOSPC
	}
	f.room -= len(p)
	return f.file.Write(p)
}

func TestFullDiskFailsFinish(t *testing.T) {
	f := &full{}
	w := NewWriter(f, Options{})
	err := w.Append("m", 1, regular(0, 1, 10))
	if _, finish := w.Finish(); !errors.Is(finish, syscall.ENOSPC) {
		t.Errorf("append: %v, finish: %v, want %v", err, finish, syscall.ENOSPC)
	}
	for room := range 300 {
		f := &full{room: room}
		w := NewWriter(f, Options{SegmentBytes: 1})
		err := w.Append("m", 1, regular(0, second, 600))
		if _, finish := w.Finish(); finish == nil {
			if _, err := OpenBytes(f.content); err != nil {
				t.Fatalf("with room for %d: finish says ok, open %v", room, err)
			}
		} else if !errors.Is(finish, syscall.ENOSPC) {
			t.Fatalf("with room for %d: append: %v, finish: %v", room, err, finish)
		}
	}
}

func TestCursorInUseTakesNoMemory(t *testing.T) {
	content := writeGauges(t, gauges(20, 1000))
	reader, err := OpenBytes(content)
	if err != nil {
		t.Fatal(err)
	}
	var c Cursor
	fields := reader.Fields("cpu")
	scan := func() {
		c.Reset(reader, "cpu", fields)
		for {
			ok, err := c.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return
			}
			for g := range c.Granules() {
				if _, err := c.Times(g); err != nil {
					t.Fatal(err)
				}
				for f := range fields {
					if _, err := c.Column(g, f); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	scan()
	if n := testing.AllocsPerRun(3, scan); n > 0 {
		t.Errorf("%v allocations in a scan", n)
	}
}

func TestHeapOfAnOpenFileIsSmall(t *testing.T) {
	hosts := gauges(1, 10)
	files := map[string]*file{"measurements": {}, "segments": {}}
	const n = 2000
	for name, f := range files {
		w := NewWriter(f, Options{SegmentBytes: 1})
		for i := range n {
			measurement, series := "m", uint32(i)
			if name == "measurements" {
				measurement, series = fmt.Sprintf("m%06d", i), 0
			}
			if err := w.Append(measurement, series, &hosts[0]); err != nil {
				t.Fatal(err)
			}
			w.flushSegment()
		}
		if _, err := w.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	for name, bound := range map[string]uint64{"measurements": 1200, "segments": 450} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		r, err := OpenBytes(files[name].content)
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := (after.HeapAlloc - before.HeapAlloc) / n
		t.Logf("%d bytes of heap for each of %d %s of ten fields", each, n, name)
		if each > bound {
			t.Errorf("%d bytes of heap for each of %d %s of ten fields, want %d at most", each, n, name, bound)
		}
		runtime.KeepAlive(r)
	}
}
