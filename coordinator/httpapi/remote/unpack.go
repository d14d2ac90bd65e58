package remote

import (
	"github.com/golang/snappy"

	"github.com/varvedb/varve/model"
)

// maxRatio is how many times its size a snappy block can unpack to: three bytes
// stand for 64 at most.
const maxRatio = 22

// Unpacked gives the size that a block says it unpacks to, 0 when it lies: a
// block that is too short for it cannot be one.
func Unpacked(block []byte) (int64, error) {
	n, err := snappy.DecodedLen(block)
	if err == nil && n > maxRatio*len(block) {
		err = snappy.ErrCorrupt
	}
	if err != nil {
		return 0, invalid(err)
	}
	return int64(n), nil
}

// Unpack unpacks a block into dst, which has room for what Unpacked gives.
func Unpack(dst, block []byte) ([]byte, error) {
	out, err := snappy.Decode(dst, block)
	if err != nil {
		return nil, invalid(err)
	}
	return out, nil
}

func invalid(err error) error { return &model.Error{Kind: model.ErrInvalid, Text: err.Error()} }
