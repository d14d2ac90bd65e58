package tsm

import "unsafe"

// bytesOf views numbers as they lie in memory.
func bytesOf[T int64 | uint64 | uint32](v []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(zero)))
}
