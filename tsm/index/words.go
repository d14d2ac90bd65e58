package index

import (
	"encoding/binary"
	"unsafe"

	"github.com/varvedb/varve/model"
)

// littleEndian reports whether numbers in memory are as those in files.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// slotsOf gives little endian numbers, where they lie if the machine can read
// them there. It must not be changed.
func slotsOf(b []byte) []uint32 {
	if p := unsafe.SliceData(b); littleEndian && uintptr(unsafe.Pointer(p))%4 == 0 {
		return unsafe.Slice((*uint32)(unsafe.Pointer(p)), len(b)/4)
	}
	return copyOfSlots(b)
}

func copyOfSlots(b []byte) []uint32 {
	all := make([]uint32, len(b)/4)
	for i := range all {
		all[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return all
}

// hashesOf gives hashes of 16 bytes as slotsOf gives numbers.
func hashesOf(b []byte) []model.SeriesHash {
	if p := unsafe.SliceData(b); littleEndian && uintptr(unsafe.Pointer(p))%8 == 0 {
		return unsafe.Slice((*model.SeriesHash)(unsafe.Pointer(p)), len(b)/hashBytes)
	}
	return copyOfHashes(b)
}

func copyOfHashes(b []byte) []model.SeriesHash {
	all := make([]model.SeriesHash, len(b)/hashBytes)
	for i := range all {
		all[i] = model.SeriesHash{Hi: binary.LittleEndian.Uint64(b[16*i:]), Lo: binary.LittleEndian.Uint64(b[16*i+8:])}
	}
	return all
}

// textOf gives b as a string, valid as long as b is there and not changed.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
