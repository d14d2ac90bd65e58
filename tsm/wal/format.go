package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/varvedb/varve/model"
)

// FileID numbers the files of a log from 1, without gaps, and is never used
// twice. 0 stands for no file.
type FileID uint64

const fileSuffix = ".wal"

func (id FileID) name() string { return fmt.Sprintf("%016x%s", uint64(id), fileSuffix) }

// parseFileName gives the id in a file's name, or false for other files.
func parseFileName(name string) (FileID, bool) {
	digits, ok := strings.CutSuffix(name, fileSuffix)
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseUint(digits, 16, 64)
	return FileID(id), err == nil && id > 0 && FileID(id).name() == name
}

const (
	fileMagic  = "varvelog"
	fileFormat = 1

	fileHeaderBytes   = 8 + 4 + 8 + 8 + 8 + 4
	recordHeaderBytes = 4 + 4 + 4 + 4 + 1

	recordBatch recordType = 1
	recordEnd   recordType = 2 // the log was closed here, all before is durable

	// maxPayloadBytes is the longest batch, so that reading it back and sending
	// it to others need no more memory than that.
	maxPayloadBytes = 64 << 20
)

type recordType uint8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fileHeader begins every file.
type fileHeader struct {
	id    FileID
	first LSN    // of the first record of a batch
	epoch uint64 // random; what has another is no record of this file
}

func (h fileHeader) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, fileMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, fileFormat)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.id))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.first))
	dst = binary.LittleEndian.AppendUint64(dst, h.epoch)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// parseFileHeader reads the first fileHeaderBytes of a file.
func parseFileHeader(b []byte) (fileHeader, error) {
	const body = fileHeaderBytes - 4
	if string(b[:8]) != fileMagic || crc32.Checksum(b[:body], castagnoli) != binary.LittleEndian.Uint32(b[body:]) {
		return fileHeader{}, fmt.Errorf("header of log file: %w", model.ErrCorrupt)
	}
	if format := binary.LittleEndian.Uint32(b[8:]); format != fileFormat {
		return fileHeader{}, fmt.Errorf("log file of format %d: %w", format, model.ErrNotSupported)
	}
	return fileHeader{
		id:    FileID(binary.LittleEndian.Uint64(b[12:])),
		first: LSN(binary.LittleEndian.Uint64(b[20:])),
		epoch: binary.LittleEndian.Uint64(b[28:]),
	}, nil
}

// beginRecord adds room for a record's header; the payload is appended to it
// and endRecord fills the header in.
func beginRecord(dst []byte) []byte { return append(dst, make([]byte, recordHeaderBytes)...) }

// endRecord completes the record that makes up all of rec. synced is the offset
// up to which the file is known to be durable.
func endRecord(rec []byte, epoch uint64, synced int64, t recordType) {
	binary.LittleEndian.PutUint32(rec, uint32(epoch))
	binary.LittleEndian.PutUint32(rec[8:], uint32(len(rec)-recordHeaderBytes))
	binary.LittleEndian.PutUint32(rec[12:], uint32(synced))
	rec[16] = byte(t)
	binary.LittleEndian.PutUint32(rec[4:], recordSum(rec, epoch))
}

// recordSum covers the whole epoch and all of the record after the sum.
func recordSum(rec []byte, epoch uint64) uint32 {
	var e [8]byte
	binary.LittleEndian.PutUint64(e[:], epoch)
	return crc32.Update(crc32.Checksum(e[:], castagnoli), castagnoli, rec[8:])
}

// recordHeader is a record's header as read, not yet verified.
type recordHeader struct {
	epoch  uint32 // the low half
	length int64
	synced int64
	kind   recordType
}

func parseRecordHeader(b []byte) recordHeader {
	return recordHeader{
		epoch:  binary.LittleEndian.Uint32(b),
		length: int64(binary.LittleEndian.Uint32(b[8:])),
		synced: int64(binary.LittleEndian.Uint32(b[12:])),
		kind:   recordType(b[16]),
	}
}
