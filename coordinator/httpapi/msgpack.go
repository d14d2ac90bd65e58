package httpapi

import (
	"math"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

func msgpackError(text string, _ bool) []byte {
	b := msgp.AppendMapHeader(nil, 1)
	b = msgp.AppendString(b, "error")
	return msgp.AppendString(b, text)
}

// maxMsgpackBytes bounds an answer in MessagePack that is not chunked: lengths
// stand before what they count, so it is collected whole.
const maxMsgpackBytes = 64 << 20

var errMsgpackTooLarge = &model.Error{Kind: model.ErrTooLarge, Text: "result is too large for MessagePack in one piece, use chunked=true"}

// msgpackEncoder writes one document, or with chunked one for each piece, in
// the layout of InfluxDB.
type msgpackEncoder struct {
	out  *output
	opt  encoding
	stmt query.Statement

	results  []byte // finished results of the document
	nResults int
	series   []byte // finished series of the statement
	nSeries  int
	head     []byte // the series that is being filled, up to its values
	nHead    int    // its keys, values included
	values   []byte
	nValues  int
	open     bool
	more     bool
	cut      bool
	tooLarge bool
}

func newMsgpackEncoder(o *output, opt encoding) encoder {
	return &msgpackEncoder{out: o, opt: opt}
}

func (e *msgpackEncoder) Begin(s query.Statement) error {
	e.stmt, e.cut = s, false
	e.series, e.nSeries = e.series[:0], 0
	return nil
}

func (e *msgpackEncoder) Rows(r *exec.Rows) error {
	if e.opt.chunked && e.nSeries > 0 && !e.stmt.Whole {
		if err := e.document(e.stmt.Partial, query.Outcome{}); err != nil {
			return err
		}
	}
	if !e.open || !e.more {
		e.closeSeries()
		e.openSeries(r)
	}
	e.more = r.More
	for i := range r.Len() {
		e.appendRow(r, i)
	}
	if len(e.results)+len(e.series)+len(e.values) > maxMsgpackBytes {
		e.series, e.nSeries, e.values, e.open, e.tooLarge = nil, 0, nil, false, true
		return errMsgpackTooLarge
	}
	if e.opt.chunked {
		e.closeSeries()
	}
	return nil
}

func (e *msgpackEncoder) openSeries(r *exec.Rows) {
	e.open, e.nHead = true, 2
	e.values, e.nValues = e.values[:0], 0
	b := e.head[:0]
	if r.Name != "" {
		e.nHead++
		b = msgp.AppendString(b, "name")
		b = msgp.AppendString(b, r.Name)
	}
	if len(r.Tags) > 0 {
		e.nHead++
		b = msgp.AppendString(b, "tags")
		b = msgp.AppendMapHeader(b, uint32(len(r.Tags)))
		for _, t := range r.Tags {
			b = msgp.AppendString(b, t.Key)
			b = msgp.AppendString(b, t.Value)
		}
	}
	b = msgp.AppendString(b, "columns")
	b = msgp.AppendArrayHeader(b, uint32(len(r.Columns)))
	for _, c := range r.Columns {
		b = msgp.AppendString(b, c)
	}
	e.head = b
}

func (e *msgpackEncoder) closeSeries() {
	if !e.open {
		return
	}
	e.open = false
	e.nSeries++
	if e.more {
		e.nHead++
	}
	b := msgp.AppendMapHeader(e.series, uint32(e.nHead))
	b = append(b, e.head...)
	b = msgp.AppendString(b, "values")
	b = msgp.AppendArrayHeader(b, uint32(e.nValues))
	b = append(b, e.values...)
	if e.more {
		b = msgp.AppendString(b, "partial")
		b = msgp.AppendBool(b, true)
	}
	e.series = b
}

func (e *msgpackEncoder) appendRow(r *exec.Rows, i int) {
	e.nValues++
	b := msgp.AppendArrayHeader(e.values, uint32(len(r.Columns)))
	if r.Times != nil {
		if e.opt.epoch != 0 {
			b = msgp.AppendInt64(b, r.Times[i]/e.opt.epoch)
		} else {
			b = msgp.AppendTime(b, time.Unix(0, r.Times[i]))
		}
	}
	for k := range r.Values {
		b = appendMsgpackValue(b, &r.Values[k], i)
	}
	if r.Lists != nil {
		b = msgp.AppendArrayHeader(b, uint32(len(r.Lists[i])))
		for _, s := range r.Lists[i] {
			b = msgp.AppendString(b, s)
		}
	}
	e.values = b
}

func appendMsgpackValue(b []byte, c *model.Column, i int) []byte {
	if !c.Has(i) {
		return msgp.AppendNil(b)
	}
	switch c.Type {
	case model.Float:
		v := math.Float64frombits(c.Bits[i])
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return msgp.AppendNil(b)
		}
		return msgp.AppendFloat64(b, v)
	case model.Integer:
		return msgp.AppendInt64(b, int64(c.Bits[i]))
	case model.Unsigned:
		return msgp.AppendUint64(b, c.Bits[i])
	case model.Boolean:
		return msgp.AppendBool(b, c.Bits[i] != 0)
	case model.String:
		return msgp.AppendStringFromBytes(b, c.Bytes(i))
	}
	return msgp.AppendNil(b)
}

func (e *msgpackEncoder) partial() { e.cut = true }

func (e *msgpackEncoder) End(o query.Outcome) error {
	e.closeSeries()
	if !e.opt.chunked {
		e.result(e.cut || o.Partial, o)
		return nil
	}
	if e.nSeries > 0 && o.Err != nil {
		if err := e.document(e.stmt.Partial, query.Outcome{}); err != nil {
			return err
		}
	}
	return e.document(e.cut || o.Partial, o)
}

// result adds the statement to the document. With an error it has no rows.
func (e *msgpackEncoder) result(partial bool, o query.Outcome) {
	e.nResults++
	b := e.results
	if o.Err != nil {
		b = msgp.AppendMapHeader(b, 1)
		b = msgp.AppendString(b, "error")
		e.results = msgp.AppendString(b, o.Err.Error())
		return
	}
	keys := uint32(2)
	if len(o.Messages) > 0 {
		keys++
	}
	if partial {
		keys++
	}
	b = msgp.AppendMapHeader(b, keys)
	b = msgp.AppendString(b, "statement_id")
	b = msgp.AppendInt(b, e.stmt.ID)
	if len(o.Messages) > 0 {
		b = msgp.AppendString(b, "messages")
		b = msgp.AppendArrayHeader(b, uint32(len(o.Messages)))
		for _, m := range o.Messages {
			b = msgp.AppendMapHeader(b, 2)
			b = msgp.AppendString(b, "level")
			b = msgp.AppendString(b, m.Level)
			b = msgp.AppendString(b, "text")
			b = msgp.AppendString(b, m.Text)
		}
	}
	b = msgp.AppendString(b, "series")
	b = msgp.AppendArrayHeader(b, uint32(e.nSeries))
	b = append(b, e.series...)
	if partial {
		b = msgp.AppendString(b, "partial")
		b = msgp.AppendBool(b, true)
	}
	e.results = b
	e.series, e.nSeries = e.series[:0], 0
}

// document sends a document of one result.
func (e *msgpackEncoder) document(partial bool, o query.Outcome) error {
	e.result(partial, o)
	e.write()
	return e.out.flush()
}

func (e *msgpackEncoder) write() {
	b := msgp.AppendMapHeader(e.out.buf, 1)
	b = msgp.AppendString(b, "results")
	b = msgp.AppendArrayHeader(b, uint32(e.nResults))
	e.out.buf = append(b, e.results...)
	e.results, e.nResults = e.results[:0], 0
}

func (e *msgpackEncoder) close() error {
	if e.opt.chunked {
		return nil
	}
	e.write()
	return e.out.spill()
}
