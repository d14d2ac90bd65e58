package wire

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/varvedb/varve/model"
)

func TestReaderGivesWhatWasAppended(t *testing.T) {
	b := AppendBool([]byte{1}, true)
	b = AppendString(b, "text")
	b = AppendStrings(b, []string{"a", "", "c"})
	b = AppendInts(b, []int{3, 0})
	b = AppendBlob(b, []byte{7})
	b = binary.AppendVarint(b, -5)
	b = binary.LittleEndian.AppendUint64(b, 1<<60)
	b = binary.LittleEndian.AppendUint32(b, 9)
	r := NewReader(b, 1<<10)
	if f, v, s, l := r.Format(1), r.Bool(), r.String(), r.Strings(); f != 1 || !v || s != "text" || !slices.Equal(l, []string{"a", "", "c"}) {
		t.Errorf("read %d, %v, %q, %q", f, v, s, l)
	}
	if n, i, j := r.Count(1), r.Index(4), r.Index(1); n != 2 || i != 3 || j != 0 {
		t.Errorf("read %d numbers %d and %d", n, i, j)
	}
	if c, v, u, w := r.Blob(), r.Varint(), r.Uint64(), r.Uint32(); len(c) != 1 || c[0] != 7 || v != -5 || u != 1<<60 || w != 9 {
		t.Errorf("read %v, %d, %d, %d", c, v, u, w)
	}
	if err := r.Done(); err != nil {
		t.Errorf("Done gave %v", err)
	}
}

func TestReaderRefuses(t *testing.T) {
	cases := map[string]struct {
		message []byte
		read    func(*Reader)
		want    error
	}{
		"nothing":             {nil, func(r *Reader) { r.Byte() }, model.ErrCorrupt},
		"a long count":        {[]byte{200, 1, 0}, func(r *Reader) { r.Strings() }, model.ErrCorrupt},
		"an endless varint":   {[]byte{255, 255}, func(r *Reader) { r.Uvarint() }, model.ErrCorrupt},
		"a boolean of 2":      {[]byte{2}, func(r *Reader) { r.Bool() }, model.ErrCorrupt},
		"an index too far":    {[]byte{3}, func(r *Reader) { r.Index(3) }, model.ErrCorrupt},
		"an index of nothing": {[]byte{0}, func(r *Reader) { r.Index(0) }, model.ErrCorrupt},
		"more than expected":  {[]byte{1, 2}, func(r *Reader) { r.Byte() }, model.ErrCorrupt},
		"over the budget":     {[]byte{5, 'a', 'b', 'c', 'd', 'e'}, func(r *Reader) { _ = r.String() }, model.ErrCorrupt},
		"format 0":            {[]byte{0}, func(r *Reader) { r.Format(1) }, model.ErrCorrupt},
		"a later format":      {[]byte{2}, func(r *Reader) { r.Format(1) }, model.ErrNotSupported},
	}
	for name, c := range cases {
		r := NewReader(c.message, 4)
		c.read(r)
		if err := r.Done(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if b, s := r.Byte(), r.Strings(); b != 0 || s != nil || r.Err() == nil {
			t.Errorf("%s: after the fault it gave %d and %q", name, b, s)
		}
	}
}
