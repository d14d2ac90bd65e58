//go:build unix

package segment

import (
	"syscall"
	"testing"
)

// perEach measures f and reports the processor time it takes for each of the n
// things it handles: unlike time on the clock, that holds on a busy machine.
func perEach(b *testing.B, thing string, n int, f func()) {
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N)/float64(n), "cpu-ns/"+thing)
}

func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
