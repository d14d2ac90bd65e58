package httpapi

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/exec"
)

func csvError(text string, _ bool) []byte {
	return append(appendCSVField([]byte("error\n"), text), '\n')
}

// csvEncoder writes a header line for each statement, and again where the
// columns change, and a line for each row: name, tags, values. Errors of
// statements do not show, as in InfluxDB. Times are numbers.
type csvEncoder struct {
	out     *output
	opt     encoding
	stmt    query.Statement
	columns []string // of the last header; nil before the first one of a statement
	any     bool     // whether there was a header at all
	prefix  []byte   // name and tags of the series
}

func newCSVEncoder(o *output, opt encoding) encoder {
	opt.epoch = max(opt.epoch, 1)
	return &csvEncoder{out: o, opt: opt}
}

func (e *csvEncoder) Begin(s query.Statement) error {
	e.stmt = s
	e.columns = nil
	return nil
}

func (e *csvEncoder) Rows(r *exec.Rows) error {
	if e.columns == nil || !slices.Equal(e.columns, r.Columns) {
		if e.any {
			e.out.buf = append(e.out.buf, '\n')
		}
		e.any = true
		e.columns = slices.Clone(r.Columns)
		e.out.buf = append(e.out.buf, "name,tags"...)
		for _, c := range r.Columns {
			e.out.buf = append(e.out.buf, ',')
			e.out.buf = appendCSVField(e.out.buf, c)
		}
		e.out.buf = append(e.out.buf, '\n')
	}
	e.setPrefix(r)
	for i := range r.Len() {
		e.out.buf = append(e.out.buf, e.prefix...)
		if r.Times != nil {
			e.out.buf = append(e.out.buf, ',')
			e.out.buf = strconv.AppendInt(e.out.buf, r.Times[i]/e.opt.epoch, 10)
		}
		for k := range r.Values {
			e.out.buf = append(e.out.buf, ',')
			e.out.buf = appendCSVValue(e.out.buf, &r.Values[k], i)
		}
		if r.Lists != nil {
			// InfluxDB has no form for lists here: it repeats what it wrote in the same place before.
			e.out.buf = append(e.out.buf, ',')
			e.out.buf = appendCSVField(e.out.buf, strings.Join(r.Lists[i], " "))
		}
		e.out.buf = append(e.out.buf, '\n')
		if err := e.out.spill(); err != nil {
			return err
		}
	}
	if e.opt.chunked {
		return e.out.flush()
	}
	return nil
}

// setPrefix makes "name,tags" of a series; tags without value are left out.
func (e *csvEncoder) setPrefix(r *exec.Rows) {
	var tags model.Tags
	for _, t := range r.Tags {
		if t.Value != "" {
			tags = append(tags, t)
		}
	}
	key := model.AppendSeriesKey(nil, "", tags)
	e.prefix = appendCSVField(e.prefix[:0], r.Name)
	e.prefix = append(e.prefix, ',')
	e.prefix = appendCSVField(e.prefix, string(bytes.TrimPrefix(key, []byte(","))))
}

func appendCSVValue(dst []byte, c *model.Column, i int) []byte {
	if !c.Has(i) {
		return dst
	}
	switch c.Type {
	case model.Float:
		if v := math.Float64frombits(c.Bits[i]); !math.IsNaN(v) && !math.IsInf(v, 0) {
			dst = strconv.AppendFloat(dst, v, 'f', -1, 64)
		}
		return dst
	case model.Integer:
		return strconv.AppendInt(dst, int64(c.Bits[i]), 10)
	case model.Unsigned:
		return strconv.AppendUint(dst, c.Bits[i], 10)
	case model.Boolean:
		return strconv.AppendBool(dst, c.Bits[i] != 0)
	case model.String:
		return appendCSVField(dst, string(c.Bytes(i)))
	}
	return dst
}

// appendCSVField adds a field, in quotes where encoding/csv would put them.
func appendCSVField(dst []byte, s string) []byte {
	if !needsQuotes(s) {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(s, `"`, `""`)...)
	return append(dst, '"')
}

func needsQuotes(s string) bool {
	if s == "" {
		return false
	}
	if s == `\.` || strings.ContainsAny(s, "\",\r\n") {
		return true
	}
	first, _ := utf8.DecodeRuneInString(s)
	return unicode.IsSpace(first)
}

func (e *csvEncoder) partial() {}

func (e *csvEncoder) End(query.Outcome) error { return e.out.spill() }

func (e *csvEncoder) close() error { return nil }
