package tsm

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/varvedb/varve/model"
)

// Digest is a hash of what a shard answers.
type Digest struct {
	Applied *model.BatchSet // the batches that the content is of
	Rows    int64           // of the series, that no delete hides
	Hash    [16]byte
}

// digestFields is how many fields are hashed in one scan, of a kilobyte each.
const digestFields = 256

// Digest reads the whole shard. Shards that hold equal sets of batches have
// equal digests, whatever their files and the order in which batches came. Any
// difference in series key, field, type, time or value gives another hash.
//
// The hash is the sum over all columns of all series of the hash of the column:
// the order of series and fields, which shards do not share, does not matter,
// and memory is bounded by a series of digestFields fields. The shard is used
// meanwhile; its files are kept as by any Reader.
func (s *Shard) Digest(ctx context.Context) (d Digest, err error) {
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		return Digest{}, errClosed
	}
	r := s.readerLocked()
	applied := s.appliedLocked() // what r shows, since both change when a batch is published
	s.mu.Unlock()
	g := digester{ctx: ctx, r: r}
	for _, name := range r.storedMeasurements() {
		if err = g.measurement(name); err != nil {
			break
		}
	}
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return Digest{}, fmt.Errorf("digest shard: %w", err)
	}
	d = Digest{Applied: applied, Rows: g.rows}
	binary.BigEndian.PutUint64(d.Hash[:], g.sum.Hi)
	binary.BigEndian.PutUint64(d.Hash[8:], g.sum.Lo)
	return d, nil
}

// digester sums up the columns of a Reader.
type digester struct {
	ctx     context.Context
	r       *Reader
	columns []columnHash // of the fields of the scan
	buf     []byte
	rows    int64
	sum     xxh3.Uint128
}

// columnHash is the hash of a field of one series, as far as it was read.
type columnHash struct {
	hash xxh3.Hasher
	used bool // the series has a value of it
}

// measurement adds all series of a measurement, also such as are in no listing
// any more: they may have been deleted after the Reader was made.
func (g *digester) measurement(name string) error {
	fields, series, err := g.r.stored(name)
	if err != nil {
		return err
	}
	for first := true; first || len(fields) > 0; first = false {
		n := min(len(fields), digestFields)
		rows, err := g.scan(ScanOptions{Series: series, Fields: fields[:n], Range: everything})
		if err != nil {
			return err
		}
		if first {
			g.rows += rows // each scan gives all rows
		}
		fields = fields[n:]
	}
	return nil
}

func (g *digester) scan(o ScanOptions) (rows int64, err error) {
	if len(g.columns) < len(o.Fields) {
		g.columns = make([]columnHash, len(o.Fields))
	}
	c := g.r.Scan(o)
	defer c.Close()
	for series := uint32(0); ; {
		if err := g.ctx.Err(); err != nil {
			return 0, err
		}
		granule, err := c.Next()
		if err == io.EOF {
			g.endSeries(series, o.Fields)
			return rows, nil
		}
		if err != nil {
			return 0, err
		}
		if granule.Series() != series {
			g.endSeries(series, o.Fields)
			series = granule.Series()
		}
		times, columns, err := granule.Load()
		if err != nil {
			return 0, err
		}
		rows += int64(len(times))
		for i := range columns {
			g.add(&g.columns[i], times, &columns[i])
		}
	}
}

// add goes on with a column: the time of each value, and the value.
func (g *digester) add(to *columnHash, times []int64, c *model.Column) {
	b := slices.Grow(g.buf[:0], 16*len(times))
	if c.Type == model.String {
		for row, at := range times {
			if c.Has(row) {
				text := c.Bytes(row)
				b = binary.LittleEndian.AppendUint64(b, uint64(at))
				b = binary.LittleEndian.AppendUint64(b, uint64(len(text)))
				b = append(b, text...)
			}
		}
	} else {
		b = b[:16*len(times)]
		n := 0
		for row, at := range times {
			if c.Has(row) {
				binary.LittleEndian.PutUint64(b[n:], uint64(at))
				binary.LittleEndian.PutUint64(b[n+8:], c.Bits[row])
				n += 16
			}
		}
		b = b[:n]
	}
	g.buf = b
	if len(b) > 0 {
		to.used = true
		write(&to.hash, b)
	}
}

// endSeries adds the columns of a series that has been read.
func (g *digester) endSeries(series uint32, fields []model.Field) {
	key := g.r.Key(series)
	for i, f := range fields {
		column := &g.columns[i]
		if !column.used {
			continue
		}
		values := column.hash.Sum128().Bytes()
		// What the values are of comes after them, each with its length.
		b := append(g.buf[:0], values[:]...)
		b = binary.AppendUvarint(b, uint64(len(key)))
		b = append(b, key...)
		b = binary.AppendUvarint(b, uint64(len(f.Name)))
		b = append(b, f.Name...)
		b = append(b, byte(f.Type))
		g.buf = b
		sum := xxh3.Hash128(b)
		var carry uint64
		g.sum.Lo, carry = bits.Add64(g.sum.Lo, sum.Lo, 0)
		g.sum.Hi, _ = bits.Add64(g.sum.Hi, sum.Hi, carry)
		column.hash.Reset()
		column.used = false
	}
}

// write adds to a hash, which cannot fail.
func write(h *xxh3.Hasher, b []byte) { _, _ = h.Write(b) }
