package tsm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/varvedb/varve/internal/vfs"
	"github.com/varvedb/varve/model"
)

// What has gone bad since it was read for the first time must not get a checksum
// of its own in a new file.
func TestRewriteNoticesWhatHasGoneBadSinceItWasRead(t *testing.T) {
	for _, cold := range []bool{false, true} {
		h := newHistory(1)
		cfg := h.config()
		cfg.CompactFiles = 2
		s, err := Open(vfs.OS, t.TempDir(), cfg)
		must(t, err)
		text := func(i int64) []byte {
			sum := sha256.Sum256(fmt.Append(nil, i))
			return hex.AppendEncode(nil, sum[:])
		}
		for i := range int64(2) {
			b := h.points("m", steady(1000*i, 1000)...)
			c := model.Column{Field: model.Field{Name: "s", Type: model.String}}
			for _, at := range b.Tables[0].Times {
				c.AppendText(text(at))
			}
			b.Tables[0].Columns = append(b.Tables[0].Columns, c)
			h.write(t, s, b)
			must(t, s.Flush(t.Context()))
		}
		h.check(t, s) // all of both files is known to be good
		name := s.mu.files[0].name
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		must(t, err)
		var b [1]byte
		half := s.mu.files[0].meta.size / 2 // most of it is text
		_, err = f.ReadAt(b[:], half)
		must(t, err)
		b[0] ^= 1
		_, err = f.WriteAt(b[:], half)
		must(t, errors.Join(err, f.Close()))
		if cold {
			err = s.Compact(t.Context())
		} else {
			err = s.compactTier(t.Context())
		}
		if !errors.Is(err, model.ErrCorrupt) {
			t.Errorf("cold %v: %v, want ErrCorrupt", cold, err)
		}
		if i := s.Info(); i.Files != 2 || i.Quarantined != 1 {
			t.Errorf("cold %v: %d files, %d in quarantine, want the damaged one of 2", cold, i.Files, i.Quarantined)
		}
		must(t, s.Close())
	}
}
