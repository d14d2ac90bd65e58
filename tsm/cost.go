package tsm

import (
	"context"
	"errors"
	"io"
)

// Cost is what is stored of what a scan asks for.
type Cost struct {
	Cached int64 // values in memtables
	Files  int64
	Blocks int64 // in files, one for each granule and field
	Bytes  int64 // of these blocks, as they are stored
}

// costSeries is how many series are looked at before the context is.
const costSeries = 256

// Cost says what a scan would read, without decoding rows. A block that several
// series share counts for each of them with the share of its rows.
func (r *Reader) Cost(ctx context.Context, o ScanOptions) (cost Cost, err error) {
	c := r.Scan(o)
	defer func() { err = errors.Join(err, c.Close()) }()
	files := make(map[*file]bool)
	for i := 0; ; i++ {
		if i%costSeries == 0 && ctx.Err() != nil {
			return Cost{}, context.Cause(ctx)
		}
		c.nextSeries()
		if errors.Is(c.err, io.EOF) {
			cost.Files = int64(len(files))
			return cost, nil
		} else if c.err != nil {
			return Cost{}, c.err
		}
		for i := range c.blocks {
			b := &c.blocks[i]
			if b.file == nil {
				cost.Cached += b.values(o)
				continue
			}
			files[b.file.file] = true
			for field := range o.Fields {
				n, err := b.file.Size(b.granule, field)
				if err != nil {
					c.fail(b.file.file, err)
					return Cost{}, c.err
				}
				if n > 0 {
					cost.Blocks++
					cost.Bytes += int64(n)
				}
			}
		}
	}
}

// values gives the number of values of a scan's fields in a block in memory.
func (b *block) values(o ScanOptions) int64 {
	n := int64(0)
	for _, f := range o.Fields {
		c := b.slab.field(f)
		if c == nil {
			continue
		}
		for _, row := range b.rows {
			if int(row) < c.Len() && c.Has(int(row)) {
				n++
			}
		}
	}
	return n
}
