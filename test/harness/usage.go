package harness

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what a process has used so far.
type Usage struct {
	CPU        time.Duration // of all threads, user and system
	Memory     int64         // bytes, VmRSS
	Anonymous  int64         // of it what is no page of a file, RssAnon
	PeakMemory int64         // bytes, VmHWM
	Written    int64         // bytes that it had the disk write, write_bytes
}

// ReadUsage reads the usage of a process of this machine: its CPU time from the
// clock of the process, to the nanosecond, the rest from /proc.
func ReadUsage(pid int) (Usage, error) {
	// The clock's number is made as clock_getcpuclockid(3) makes it.
	const scheduled = 2
	var cpu unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &cpu); err != nil {
		return Usage{}, fmt.Errorf("read usage: %w", err)
	}
	u := Usage{CPU: time.Duration(cpu.Nano())}
	status, err := readCounts(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Usage{}, err
	}
	u.Memory, u.Anonymous, u.PeakMemory = status["VmRSS"]<<10, status["RssAnon"]<<10, status["VmHWM"]<<10
	// Not every machine lets one read this; then it stays 0.
	if io, err := readCounts(fmt.Sprintf("/proc/%d/io", pid)); err == nil {
		u.Written = io["write_bytes"] - io["cancelled_write_bytes"]
	}
	return u, nil
}

// ResetPeak has PeakMemory begin again at what is held now.
func ResetPeak(pid int) error {
	const peak = "5" // proc_pid_clear_refs(5)
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte(peak), 0)
}

// readCounts reads the lines "name: number" of a file, whatever unit follows.
func readCounts(file string) (map[string]int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		if f := strings.Fields(value); len(f) > 0 {
			if n, err := strconv.ParseInt(f[0], 10, 64); err == nil {
				counts[name] = n
			}
		}
	}
	return counts, nil
}

// OpenFiles gives the number of regular files that a process has open, and the
// number that it has mapped.
func OpenFiles(pid int) (open, mapped int, err error) {
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0, 0, err
	}
	for _, fd := range fds {
		to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name()))
		if err == nil && strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "/dev/") {
			open++ // no socket, no pipe
		}
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	files := map[string]bool{}
	for line := range strings.Lines(string(maps)) {
		if f := strings.Fields(line); len(f) > 5 && strings.HasPrefix(f[5], "/") {
			files[f[5]] = true
		}
	}
	return open, len(files), nil
}

// DirSize gives the bytes of the files under dir, without the holes in them: some
// servers make files of several megabytes ahead of their contents.
func DirSize(dir string) (int64, error) {
	var n int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() {
			return nil // a server at work removes files
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		size := info.Size()
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			size = min(size, stat.Blocks*512)
		}
		n += size
		return nil
	})
	return n, err
}
