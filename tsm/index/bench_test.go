//go:build unix

package index

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// benchSeries is how many series the benchmarks have, with ten tags each.
const benchSeries = 1_000_000

func benchKey(dst []byte, i int) []byte {
	return fmt.Appendf(dst, "cpu,arch=x%d,datacenter=eu-west-1%d,hostname=host_%d,os=Ubuntu%d,rack=%d,region=eu-west-%d,service=%d,service_environment=test%d,service_version=%d,team=T%d",
		i%2, i%3, i, i%3, i*7%100, i%9, i%20, i%3, i%2, i%4)
}

// large is an Index of benchSeries series in files, made once.
var large = sync.OnceValues(func() (*Index, vfs.FS) {
	x, fs := New(), vfs.NewMem()
	var key []byte
	for i := range benchSeries {
		key = benchKey(key[:0], i)
		if _, _, err := x.Add(hashKey(key), key); err != nil {
			panic(err)
		}
	}
	if _, err := x.Write(fs, "x", 0, benchSeries); err != nil {
		panic(err)
	}
	f, err := OpenFile(fs, "x", 0, benchSeries, hashKey)
	if err == nil {
		err = x.Install(f)
	}
	if err != nil {
		panic(err)
	}
	return x, fs
})

// cpu is the processor time of the process: what counts on a busy machine.
func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportCPU reports what each of n series took since start.
func reportCPU(b *testing.B, start time.Duration, n int) {
	b.ReportMetric(float64(cpu()-start)/float64(b.N)/float64(n), "cpu-ns/series")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkOpen opens a file and finds a series in it: the first touch reads
// what it needs for that. The bytes are of the heap.
func BenchmarkOpen(b *testing.B) {
	x, fs := large()
	size, err := fs.Size("x")
	if err != nil {
		b.Fatal(err)
	}
	var used uint64
	for b.Loop() {
		b.StopTimer()
		before := heap()
		b.StartTimer()
		f, err := OpenFile(fs, "x", 0, benchSeries, hashKey)
		if err != nil {
			b.Fatal(err)
		}
		y := New()
		if err := y.Append(f); err != nil {
			b.Fatal(err)
		}
		if _, ok, err := y.Find(hashKey(benchKey(nil, 77))); !ok || err != nil {
			b.Fatal(ok, err)
		}
		b.StopTimer()
		used = max(heap(), before) - before
		if err := y.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	runtime.KeepAlive(x)
	b.ReportMetric(float64(used)/benchSeries, "heap-B/series")
	b.ReportMetric(float64(size)/benchSeries, "file-B/series")
}

// BenchmarkAdd adds series to what is in memory, and writes them into files of
// 128 Ki series.
func BenchmarkAdd(b *testing.B) {
	const n = 128 << 10
	keys := make([][]byte, n)
	hashes := make([]model.SeriesHash, n)
	for i := range keys {
		keys[i] = benchKey(nil, i)
		hashes[i] = hashKey(keys[i])
	}
	b.Run("memory", func(b *testing.B) {
		start := cpu()
		for b.Loop() {
			x := New()
			for i := range keys {
				if _, _, err := x.Add(hashes[i], keys[i]); err != nil {
					b.Fatal(err)
				}
			}
		}
		reportCPU(b, start, n)
	})
	x := New()
	before := heap()
	for i := range keys {
		if _, _, err := x.Add(hashes[i], keys[i]); err != nil {
			b.Fatal(err)
		}
	}
	unbuilt := max(heap(), before) - before
	b.Run("file", func(b *testing.B) {
		start := cpu()
		for b.Loop() {
			x.mu.delta.tags.postings, x.mu.delta.tags.built = newPostings(), 0
			if _, err := x.Write(vfs.NewMem(), "x", 0, n); err != nil {
				b.Fatal(err)
			}
		}
		reportCPU(b, start, n)
		b.ReportMetric(float64(unbuilt)/n, "heap-B/series")
		b.ReportMetric(float64(max(heap(), before)-before)/n, "with-postings-B/series")
	})
	runtime.KeepAlive(x)
}

func BenchmarkMerge(b *testing.B) {
	x, fs := New(), vfs.NewMem()
	const n = 128 << 10
	for i := range 2 * n {
		key := benchKey(nil, i)
		if _, _, err := x.Add(hashKey(key), key); err != nil {
			b.Fatal(err)
		}
	}
	keep(b, x, fs, 0, n)
	keep(b, x, fs, n, 2*n)
	start := cpu()
	for b.Loop() {
		if _, err := x.Write(vfs.NewMem(), "x", 0, 2*n); err != nil {
			b.Fatal(err)
		}
	}
	reportCPU(b, start, 2*n)
}

// BenchmarkLookup looks for batches of series in random order.
func BenchmarkLookup(b *testing.B) {
	x, _ := large()
	const n = 5000
	rng := rand.New(rand.NewPCG(1, 1))
	batches := make([][]model.Series, 20)
	for i := range batches {
		for range n {
			batches[i] = append(batches[i], model.Series{Hash: hashKey(benchKey(nil, rng.IntN(benchSeries)))})
		}
	}
	ids := make([]uint32, 0, n)
	i := 0
	start := cpu()
	for b.Loop() {
		if _, unknown, err := x.Lookup(ids, batches[i%len(batches)]); unknown || err != nil {
			b.Fatal(unknown, err)
		}
		i++
	}
	reportCPU(b, start, n)
}

func BenchmarkSelect(b *testing.B) {
	x, _ := large()
	v := x.View()
	defer v.Close()
	for _, c := range []struct {
		name  string
		where *model.Predicate
	}{
		{"equal", &model.Predicate{Op: model.Equal, Key: "region", Value: "eu-west-3"}},
		{"not", &model.Predicate{Op: model.NotEqual, Key: "region", Value: "eu-west-3"}},
		{"one", &model.Predicate{Op: model.Equal, Key: "hostname", Value: "host_777"}},
		{"literals", model.MatchRegexp("hostname", regexp.MustCompile("^(host_7|host_77|host_123456)$"), false)},
		{"prefix", model.MatchRegexp("hostname", regexp.MustCompile("^host_12.*9$"), false)},
		{"anywhere", model.MatchRegexp("hostname", regexp.MustCompile("t_12.*9$"), false)},
		{"all", model.MatchRegexp("hostname", regexp.MustCompile(".*"), false)},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := v.Select("cpu", c.where, all); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTags gives the tags of 100,000 series in order of id, as GROUP BY asks.
func BenchmarkTags(b *testing.B) {
	x, _ := large()
	const n = 100_000
	start := cpu()
	for b.Loop() {
		v := x.View()
		for id := range uint32(n) {
			if v.Tags(id).Get("hostname") == "" {
				b.Fatal("no host")
			}
		}
		if err := v.Close(); err != nil {
			b.Fatal(err)
		}
	}
	reportCPU(b, start, n)
}
