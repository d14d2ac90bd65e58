package remote

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// sub adds a message to a message.
func sub(dst []byte, number protowire.Number, message []byte) []byte {
	dst = protowire.AppendTag(dst, number, protowire.BytesType)
	return protowire.AppendBytes(dst, message)
}

func str(dst []byte, number protowire.Number, s string) []byte { return sub(dst, number, []byte(s)) }

func varint(dst []byte, number protowire.Number, v int64) []byte {
	dst = protowire.AppendTag(dst, number, protowire.VarintType)
	return protowire.AppendVarint(dst, uint64(v))
}

func double(dst []byte, number protowire.Number, v float64) []byte {
	dst = protowire.AppendTag(dst, number, protowire.Fixed64Type)
	return protowire.AppendFixed64(dst, math.Float64bits(v))
}

type at struct {
	value  float64
	millis int64
}

// timeSeries makes a TimeSeries; labels are names and values in turn.
func timeSeries(labels []string, samples ...at) []byte {
	var b []byte
	for i := 0; i < len(labels); i += 2 {
		b = sub(b, 1, str(str(nil, 1, labels[i]), 2, labels[i+1]))
	}
	for _, s := range samples {
		b = sub(b, 2, varint(double(nil, 1, s.value), 2, s.millis))
	}
	return b
}

func writeRequest(series ...[]byte) []byte {
	var b []byte
	for _, s := range series {
		b = sub(b, 1, s)
	}
	return b
}

// readRequest makes a ReadRequest of one query.
func readRequest(from, to int64, matchers ...Matcher) []byte {
	b := varint(varint(nil, 1, from), 2, to)
	for _, m := range matchers {
		b = sub(b, 3, str(str(varint(nil, 1, int64(m.Type)), 2, m.Name), 3, m.Value))
	}
	return sub(nil, 1, b)
}
