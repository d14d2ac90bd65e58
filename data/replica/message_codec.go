package replica

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/varvedb/varve/model"
)

// messageFormat is the first byte of a message in binary form.
const messageFormat = 1

// AppendMessage adds m in binary form: the format, then its numbers as varints
// in the order of the fields, then the statements, each with the distance of its
// shard from the one before.
func AppendMessage(dst []byte, m *Message) []byte {
	dst = append(dst, messageFormat)
	for _, v := range [...]uint64{
		m.From.Node, m.From.Start, m.To, m.ToStart, m.Number, m.Got, uint64(m.Ping), uint64(m.Echo),
		uint64(m.Clock), uint64(m.Cutoff), uint64(len(m.Statements)),
	} {
		dst = binary.AppendUvarint(dst, v)
	}
	last := uint64(0)
	for i := range m.Statements {
		st := &m.Statements[i]
		dst = binary.AppendUvarint(dst, st.Shard-last)
		dst = binary.AppendUvarint(dst, st.Revision)
		dst = binary.AppendUvarint(dst, uint64(m.Cutoff-st.Floor))
		dst = st.Set.Append(dst)
		last = st.Shard
	}
	return dst
}

// DecodeMessage reads what AppendMessage wrote. Errors are of kind
// model.ErrCorrupt, or model.ErrNotSupported for a later format. What it
// allocates is bounded by a small multiple of len(b).
func DecodeMessage(b []byte) (*Message, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("decode message: empty: %w", model.ErrCorrupt)
	}
	if b[0] != messageFormat {
		return nil, fmt.Errorf("decode message: format %d: %w", b[0], model.ErrNotSupported)
	}
	d := decoder{b: b[1:]}
	m := &Message{From: Self{Node: d.uvarint(), Start: d.uvarint()}, To: d.uvarint(), ToStart: d.uvarint(), Number: d.uvarint(), Got: d.uvarint()}
	m.Ping, m.Echo = time.Duration(d.uvarint()), time.Duration(d.uvarint())
	m.Clock, m.Cutoff = model.HLC(d.uvarint()), model.HLC(d.uvarint())
	shard := uint64(0)
	for n := d.uvarint(); n > 0 && !d.failed; n-- {
		shard += d.uvarint()
		st := Statement{Shard: shard, Revision: d.uvarint(), Floor: m.Cutoff - model.HLC(d.uvarint()), Set: d.batchSet()}
		if st.Floor > m.Cutoff {
			d.failed = true
		}
		m.Statements = append(m.Statements, st)
	}
	if d.failed || len(d.b) > 0 {
		return nil, fmt.Errorf("decode message: %w", model.ErrCorrupt)
	}
	return m, nil
}

// decoder reads numbers; after a failure it gives zeros.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.failed, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) batchSet() *model.BatchSet {
	set, rest, err := model.DecodeBatchSet(d.b)
	if err != nil {
		d.failed, d.b = true, nil
		return &model.BatchSet{}
	}
	d.b = rest
	return set
}
