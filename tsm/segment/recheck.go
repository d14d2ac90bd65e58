package segment

import (
	"bytes"

	"github.com/varvedb/varve/internal/invariant"
	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/tsm/block"
)

// recheck decodes a block that was just encoded, in builds with invariants: a
// codec that loses a bit must be found before anything relies on its files.
func recheck(encoded []byte, want *model.Column) {
	var d block.Decoder
	var present model.Bitmap
	got := model.Column{Field: want.Field}
	err := d.Column(&got, &present, want.Len(), encoded, nil, 0)
	invariant.Check(err == nil, "block of %d rows of %v: %v", want.Len(), want.Field, err)
	for i := range want.Len() {
		equal := got.Has(i) == want.Has(i)
		if equal && want.Has(i) {
			if want.Type == model.String {
				equal = bytes.Equal(got.Bytes(i), want.Bytes(i))
			} else {
				equal = got.Bits[i] == want.Bits[i]
			}
		}
		invariant.Check(equal, "block of %v: row %d comes back changed", want.Field, i)
	}
}
