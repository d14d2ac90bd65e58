package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sort"

	"github.com/varvedb/varve/model"
)

// texts is sorted strings as they lie in a part: where each ends, then all of
// their bytes.
type texts struct {
	ends []byte // 4 bytes each
	text []byte
}

func (t *texts) len() int { return len(t.ends) / 4 }

// at gives a string. Where the part says nonsense it is cut short: what comes
// of that is caught by order, which readers check.
func (t *texts) at(i int) []byte {
	start, end := uint32(0), binary.LittleEndian.Uint32(t.ends[4*i:])
	if i > 0 {
		start = binary.LittleEndian.Uint32(t.ends[4*i-4:])
	}
	end = min(end, uint32(len(t.text)))
	return t.text[min(start, end):end]
}

// find gives the place of s, or where it would be.
func (t *texts) find(s []byte) (int, bool) {
	i := sort.Search(t.len(), func(i int) bool { return bytes.Compare(t.at(i), s) >= 0 })
	return i, i < t.len() && bytes.Equal(t.at(i), s)
}

// textsWriter makes texts.
type textsWriter struct {
	ends []uint32
	text []byte
}

func (w *textsWriter) reset() { w.ends, w.text = w.ends[:0], w.text[:0] }

func (w *textsWriter) add(s []byte) {
	w.text = append(w.text, s...)
	w.ends = append(w.ends, uint32(len(w.text)))
}

// errTooMuchText is more than 32 bits count.
var errTooMuchText = fmt.Errorf("over 4 GiB of text: %w", model.ErrTooLarge)

// cut takes n bytes off the front of b, and is false when there are fewer.
func cut(b []byte, n uint64) (head, tail []byte, ok bool) {
	if n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}
