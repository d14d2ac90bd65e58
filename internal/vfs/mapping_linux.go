package vfs

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// resident reports whether all pages that b lies in are in memory.
func resident(b []byte) bool {
	var pages [512]byte
	for b = wholePages(b); len(b) > 0; {
		n := min(len(b), len(pages)*os.Getpagesize())
		_, _, errno := unix.Syscall(unix.SYS_MINCORE,
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(n), uintptr(unsafe.Pointer(&pages)))
		if errno != 0 {
			return true // not known: touching them tells
		}
		for _, in := range pages[:(n+os.Getpagesize()-1)/os.Getpagesize()] {
			if in&1 == 0 {
				return false
			}
		}
		b = b[n:]
	}
	return true
}

// fetch reads the pages that b lies in, and returns when they are in memory.
// What cannot be read is not: touching it faults.
func fetch(b []byte) {
	b = wholePages(b)
	if err := unix.Madvise(b, unix.MADV_POPULATE_READ); err == unix.EINVAL { // before Linux 5.14
		prefetch(b)
	}
}

// prefetch begins to read the pages that b lies in.
func prefetch(b []byte) {
	_ = unix.Madvise(wholePages(b), unix.MADV_WILLNEED) // a hint
}

// wholePages makes b begin where its page does. A mapping begins with a page,
// so these bytes are mapped too.
func wholePages(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	first := unsafe.Pointer(unsafe.SliceData(b))
	before := int(uintptr(first)) & (os.Getpagesize() - 1)
	return unsafe.Slice((*byte)(unsafe.Add(first, -before)), len(b)+before)
}
