package inspect

import (
	"math"
	"strconv"

	"github.com/varvedb/varve/model"
)

// appendLine adds row i of columns as a line of line protocol. It adds nothing
// when the row has no value.
func appendLine(dst, key []byte, columns []model.Column, i int, time int64) []byte {
	start := len(dst)
	dst = append(dst, key...)
	separator := byte(' ')
	for k := range columns {
		c := &columns[k]
		if !c.Has(i) {
			continue
		}
		dst = append(dst, separator)
		separator = ','
		dst = appendName(dst, c.Name)
		dst = append(dst, '=')
		dst = appendValue(dst, c, i)
	}
	if separator == ' ' {
		return dst[:start]
	}
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, time, 10)
	return append(dst, '\n')
}

// appendName adds the name of a field with what would end it escaped.
func appendName(dst []byte, name string) []byte {
	for i := range len(name) {
		switch name[i] {
		case ',', '=', ' ':
			dst = append(dst, '\\')
		}
		dst = append(dst, name[i])
	}
	return dst
}

func appendValue(dst []byte, c *model.Column, i int) []byte {
	switch c.Type {
	case model.Float:
		return strconv.AppendFloat(dst, math.Float64frombits(c.Bits[i]), 'g', -1, 64)
	case model.Integer:
		return append(strconv.AppendInt(dst, int64(c.Bits[i]), 10), 'i')
	case model.Unsigned:
		return append(strconv.AppendUint(dst, c.Bits[i], 10), 'u')
	case model.Boolean:
		return strconv.AppendBool(dst, c.Bits[i] != 0)
	}
	dst = append(dst, '"')
	for _, b := range c.Bytes(i) {
		if b == '"' || b == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, b)
	}
	return append(dst, '"')
}
