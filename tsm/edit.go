package tsm

import (
	"encoding/binary"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/index"
)

// edit is one record of the manifest: what changed in one step. FORMAT.md
// shows its bytes.
type edit struct {
	nextID      uint64 // the next number for a file
	nextDelete  uint64 // the next number for a tombstone
	frontier    model.HLC
	addFiles    []fileMeta
	dropFiles   []uint64
	addIndexes  []indexFile
	dropIndexes []uint64
	addDeletes  []*tombstone
	dropDeletes []uint64
	applied     *model.BatchSet // batches that are in files and tombstones from now on
	buried      *roaring.Bitmap // series without data; nil: as before

	indexes []*index.File // addIndexes, open; not in the record
}

// fileMeta is what the manifest says of a segment file.
type fileMeta struct {
	id      uint64
	level   uint8
	size    int64
	rows    int64
	times   model.TimeRange
	low     model.Version
	high    model.Version
	applied uint64 // tombstones with lower numbers were applied in writing it
	// versioned files have a version per row; rows of others count as of version high.
	versioned bool
}

// indexFile is what the manifest says of an index file: it has the series from
// first to before end.
type indexFile struct {
	id         uint64
	first, end uint32
	size       int64
}

// The tags of an edit's parts. They never change their meaning.
const (
	tagNextID     = 1
	tagNextDelete = 2
	tagFrontier   = 3
	tagAddFile    = 4
	tagDropFile   = 5
	tagAddIndex   = 6
	tagDropIndex  = 7
	tagAddDelete  = 8
	tagDropDelete = 9
	tagApplied    = 10
	tagBuried     = 11
)

func (e *edit) append(dst []byte) []byte {
	number := func(tag byte, v uint64) {
		dst = append(dst, tag)
		dst = binary.AppendUvarint(dst, v)
	}
	number(tagNextID, e.nextID)
	number(tagNextDelete, e.nextDelete)
	number(tagFrontier, uint64(e.frontier))
	for i := range e.addFiles {
		f := &e.addFiles[i]
		number(tagAddFile, f.id)
		dst = append(dst, f.level, oneIf(f.versioned))
		dst = binary.AppendUvarint(dst, uint64(f.size))
		dst = binary.AppendUvarint(dst, uint64(f.rows))
		dst = appendRangeOf(dst, f.times)
		dst = appendVersion(dst, f.low)
		dst = appendVersion(dst, f.high)
		dst = binary.AppendUvarint(dst, f.applied)
	}
	for _, id := range e.dropFiles {
		number(tagDropFile, id)
	}
	for _, x := range e.addIndexes {
		number(tagAddIndex, x.id)
		dst = binary.AppendUvarint(dst, uint64(x.first))
		dst = binary.AppendUvarint(dst, uint64(x.end))
		dst = binary.AppendUvarint(dst, uint64(x.size))
	}
	for _, id := range e.dropIndexes {
		number(tagDropIndex, id)
	}
	for _, t := range e.addDeletes {
		number(tagAddDelete, t.number)
		dst = appendVersion(dst, t.version)
		dst = appendRangeOf(dst, t.times)
		dst = model.AppendPredicate(dst, t.where)
	}
	for _, n := range e.dropDeletes {
		number(tagDropDelete, n)
	}
	if e.applied != nil {
		dst = append(dst, tagApplied)
		dst = e.applied.Append(dst)
	}
	if e.buried != nil {
		b, err := e.buried.ToBytes()
		if err != nil {
			panic(fmt.Sprintf("tsm: encode bitmap: %v", err)) // it writes to memory
		}
		number(tagBuried, uint64(len(b)))
		dst = append(dst, b...)
	}
	return dst
}

func oneIf(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendRangeOf(dst []byte, r model.TimeRange) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Min))
	return binary.LittleEndian.AppendUint64(dst, uint64(r.Max))
}

func appendVersion(dst []byte, v model.Version) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(v.HLC))
	dst = binary.AppendUvarint(dst, v.ID.Origin)
	dst = binary.LittleEndian.AppendUint64(dst, v.ID.Epoch)
	return binary.AppendUvarint(dst, v.ID.Seq)
}

// decodeEdit reads what edit.append wrote. Errors are of kind model.ErrCorrupt.
func decodeEdit(b []byte) (*edit, error) {
	d := decoder{b: b}
	e := &edit{}
	for len(d.b) > 0 && d.err == nil {
		switch tag := d.byte(); tag {
		case tagNextID:
			e.nextID = d.uvarint()
		case tagNextDelete:
			e.nextDelete = d.uvarint()
		case tagFrontier:
			e.frontier = model.HLC(d.uvarint())
		case tagAddFile:
			f := fileMeta{id: d.uvarint(), level: d.byte(), versioned: d.byte() != 0}
			f.size, f.rows = int64(d.uvarint()), int64(d.uvarint())
			f.times, f.low, f.high = d.timeRange(), d.version(), d.version()
			f.applied = d.uvarint()
			e.addFiles = append(e.addFiles, f)
		case tagDropFile:
			e.dropFiles = append(e.dropFiles, d.uvarint())
		case tagAddIndex:
			e.addIndexes = append(e.addIndexes, indexFile{
				id: d.uvarint(), first: uint32(d.uvarint()), end: uint32(d.uvarint()), size: int64(d.uvarint()),
			})
		case tagDropIndex:
			e.dropIndexes = append(e.dropIndexes, d.uvarint())
		case tagAddDelete:
			t := &tombstone{number: d.uvarint(), version: d.version(), times: d.timeRange()}
			t.where = d.predicate()
			t.batch, t.kept = t.version.ID, true
			e.addDeletes = append(e.addDeletes, t)
		case tagDropDelete:
			e.dropDeletes = append(e.dropDeletes, d.uvarint())
		case tagApplied:
			e.applied = d.batchSet()
		case tagBuried:
			e.buried = d.bitmap()
		default:
			d.fail("tag %d", tag)
		}
	}
	if d.err != nil {
		return nil, d.err
	}
	return e, nil
}

// decoder reads the parts of an edit; after a failure it gives zeros.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("manifest record: %s: %w", fmt.Sprintf(format, args...), model.ErrCorrupt)
	}
	d.b = nil
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.fail("cut off")
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail("bad number")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) timeRange() model.TimeRange {
	return model.TimeRange{Min: int64(d.uint64()), Max: int64(d.uint64())}
}

func (d *decoder) version() model.Version {
	return model.Version{HLC: model.HLC(d.uint64()), ID: model.BatchID{Origin: d.uvarint(), Epoch: d.uint64(), Seq: d.uvarint()}}
}

func (d *decoder) predicate() *model.Predicate {
	p, rest, err := model.DecodePredicate(d.b)
	if err != nil {
		d.fail("%v", err)
		return nil
	}
	d.b = rest
	return p
}

func (d *decoder) batchSet() *model.BatchSet {
	s, rest, err := model.DecodeBatchSet(d.b)
	if err != nil {
		d.fail("%v", err)
		return nil
	}
	d.b = rest
	return s
}

func (d *decoder) bitmap() *roaring.Bitmap {
	size := d.uvarint()
	if size > uint64(len(d.b)) {
		d.fail("cut off")
		return nil
	}
	b := roaring.New()
	if err := b.UnmarshalBinary(d.take(int(size))); err != nil {
		d.fail("%v", err)
		return nil
	}
	if err := b.Validate(); err != nil {
		d.fail("%v", err)
		return nil
	}
	return b
}
