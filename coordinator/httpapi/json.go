package httpapi

import (
	"math"
	"strconv"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

// jsonText appends JSON to a buffer, indented by four blanks when pretty, as
// encoding/json does.
type jsonText struct {
	buf    *[]byte
	pretty bool
	depth  int
	empty  bool // whether nothing was written yet into the innermost bracket
}

func (j *jsonText) raw(s string) { *j.buf = append(*j.buf, s...) }

// item comes before every element of an array.
func (j *jsonText) item() {
	if !j.empty {
		*j.buf = append(*j.buf, ',')
	}
	j.empty = false
	j.line()
}

func (j *jsonText) line() {
	if !j.pretty {
		return
	}
	*j.buf = append(*j.buf, '\n')
	for range j.depth {
		*j.buf = append(*j.buf, "    "...)
	}
}

// key comes before every value of an object. It is not escaped.
func (j *jsonText) key(k string) {
	j.item()
	*j.buf = append(*j.buf, '"')
	*j.buf = append(*j.buf, k...)
	*j.buf = append(*j.buf, '"')
	j.colon()
}

func (j *jsonText) colon() {
	*j.buf = append(*j.buf, ':')
	if j.pretty {
		*j.buf = append(*j.buf, ' ')
	}
}

func (j *jsonText) text(s string) { *j.buf = appendJSONString(*j.buf, s) }

func (j *jsonText) open(bracket byte) {
	*j.buf = append(*j.buf, bracket)
	j.depth++
	j.empty = true
}

func (j *jsonText) shut(bracket byte) {
	j.depth--
	if !j.empty {
		j.line()
	}
	j.empty = false
	*j.buf = append(*j.buf, bracket)
}

func jsonError(text string, pretty bool) []byte {
	var b []byte
	j := jsonText{buf: &b, pretty: pretty, empty: true}
	j.open('{')
	j.key("error")
	j.text(text)
	j.shut('}')
	return append(b, '\n')
}

// jsonEncoder writes one document, or with chunked one for each piece.
type jsonEncoder struct {
	out   *output
	opt   encoding
	j     jsonText
	times timestamps
	stmt  query.Statement

	document bool // results are open
	result   bool // the object of the statement is open
	series   bool // the list of series is open
	row      bool // an object of that list is open
	values   bool // its values are open
	more     bool // the series goes on
	cut      bool // partial was called
}

func newJSONEncoder(o *output, opt encoding) encoder {
	e := &jsonEncoder{out: o, opt: opt, j: jsonText{pretty: opt.pretty, empty: true}}
	e.j.buf = &o.buf
	return e
}

func (e *jsonEncoder) Begin(s query.Statement) error {
	e.stmt, e.cut, e.more = s, false, false
	e.times = timestamps{loc: s.Location}
	if !e.opt.chunked {
		e.openResult()
	}
	return nil
}

// openResult opens the document, if it is not, and the statement's object.
func (e *jsonEncoder) openResult() {
	if !e.document {
		e.document = true
		e.j.empty = true
		e.j.open('{')
		e.j.key("results")
		e.j.open('[')
	}
	e.result = true
	e.j.item()
	e.j.open('{')
	e.j.key("statement_id")
	e.out.buf = strconv.AppendInt(e.out.buf, int64(e.stmt.ID), 10)
}

func (e *jsonEncoder) Rows(r *exec.Rows) error {
	if e.opt.chunked {
		if e.result && !e.stmt.Whole {
			// There is more of this statement than the piece before.
			if err := e.closeChunk(e.stmt.Partial); err != nil {
				return err
			}
		}
		if !e.result {
			e.openResult()
		}
	}
	if !e.row || !e.more {
		e.closeRow()
		e.openRow(r)
	}
	e.more = r.More
	if r.Len() > 0 && !e.values {
		e.values = true
		e.j.key("values")
		e.j.open('[')
	}
	for i := range r.Len() {
		e.j.item()
		e.appendRow(r, i)
		if err := e.out.spill(); err != nil {
			return err
		}
	}
	if e.opt.chunked {
		e.closeRow()
	}
	return nil
}

// openRow writes what is told of a series before its values.
func (e *jsonEncoder) openRow(r *exec.Rows) {
	if !e.series {
		e.series = true
		e.j.key("series")
		e.j.open('[')
	}
	e.row = true
	e.j.item()
	e.j.open('{')
	if r.Name != "" {
		e.j.key("name")
		e.j.text(r.Name)
	}
	if len(r.Tags) > 0 {
		e.j.key("tags")
		e.j.open('{')
		for _, t := range r.Tags {
			e.j.item()
			e.j.text(t.Key)
			e.j.colon()
			e.j.text(t.Value)
		}
		e.j.shut('}')
	}
	e.j.key("columns")
	e.j.open('[')
	for _, c := range r.Columns {
		e.j.item()
		e.j.text(c)
	}
	e.j.shut(']')
}

func (e *jsonEncoder) closeRow() {
	if !e.row {
		return
	}
	if e.values {
		e.j.shut(']')
	}
	if e.more {
		e.j.key("partial")
		e.j.raw("true")
	}
	e.j.shut('}')
	e.row, e.values = false, false
}

func (e *jsonEncoder) appendRow(r *exec.Rows, i int) {
	e.j.open('[')
	if r.Times != nil {
		e.j.item()
		if e.opt.epoch != 0 {
			e.out.buf = strconv.AppendInt(e.out.buf, r.Times[i]/e.opt.epoch, 10)
		} else {
			e.out.buf = append(e.out.buf, '"')
			e.out.buf = e.times.append(e.out.buf, r.Times[i])
			e.out.buf = append(e.out.buf, '"')
		}
	}
	for k := range r.Values {
		e.j.item()
		e.out.buf = appendJSONValue(e.out.buf, &r.Values[k], i)
	}
	if r.Lists != nil {
		e.j.item()
		e.j.open('[')
		for _, s := range r.Lists[i] {
			e.j.item()
			e.j.text(s)
		}
		e.j.shut(']')
	}
	e.j.shut(']')
}

func appendJSONValue(dst []byte, c *model.Column, i int) []byte {
	if !c.Has(i) {
		return append(dst, "null"...)
	}
	switch c.Type {
	case model.Float:
		return appendJSONFloat(dst, math.Float64frombits(c.Bits[i]))
	case model.Integer:
		return strconv.AppendInt(dst, int64(c.Bits[i]), 10)
	case model.Unsigned:
		return strconv.AppendUint(dst, c.Bits[i], 10)
	case model.Boolean:
		return strconv.AppendBool(dst, c.Bits[i] != 0)
	case model.String:
		return appendJSONString(dst, c.Bytes(i))
	}
	return append(dst, "null"...)
}

func (e *jsonEncoder) partial() { e.cut = true }

func (e *jsonEncoder) End(o query.Outcome) error {
	if !e.opt.chunked {
		e.closeRow()
		e.closeResult(o, e.cut || o.Partial)
		return e.out.spill()
	}
	if e.result && (o.Err != nil || len(o.Messages) > 0) {
		if err := e.closeChunk(e.stmt.Partial); err != nil {
			return err
		}
	}
	if !e.result {
		e.openResult()
	}
	e.closeResult(o, e.cut || o.Partial)
	return e.closeDocument()
}

// closeChunk ends the document of a piece of a statement.
func (e *jsonEncoder) closeChunk(partial bool) error {
	e.closeResult(query.Outcome{}, partial)
	return e.closeDocument()
}

func (e *jsonEncoder) closeResult(o query.Outcome, partial bool) {
	if e.series {
		e.j.shut(']')
	}
	if len(o.Messages) > 0 {
		e.j.key("messages")
		e.j.open('[')
		for _, m := range o.Messages {
			e.j.item()
			e.j.open('{')
			e.j.key("level")
			e.j.text(m.Level)
			e.j.key("text")
			e.j.text(m.Text)
			e.j.shut('}')
		}
		e.j.shut(']')
	}
	if partial {
		e.j.key("partial")
		e.j.raw("true")
	}
	if o.Err != nil {
		e.j.key("error")
		e.j.text(o.Err.Error())
	}
	e.j.shut('}')
	e.result, e.series = false, false
}

func (e *jsonEncoder) closeDocument() error {
	e.j.shut(']')
	e.j.shut('}')
	e.j.raw("\n")
	e.document = false
	if e.opt.chunked {
		return e.out.flush()
	}
	return nil
}

func (e *jsonEncoder) close() error {
	switch {
	case e.document:
		return e.closeDocument()
	case !e.opt.chunked: // a query without statements
		e.j.raw("{}\n")
	}
	return nil
}
