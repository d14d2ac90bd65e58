package block

import (
	"encoding/binary"

	"github.com/varvedb/varve/model"
)

// dictionary is the strings that blocks of a Group share, by first use.
type dictionary struct {
	codes   map[string]uint64
	entries texts
	blocks  int // that go by it
	misses  int // blocks in a row that had too many strings of their own
	skip    int // blocks to go without a trial
}

const (
	maxEntries     = 4096
	maxEntriesText = 64 << 10
)

func (d *dictionary) reset() {
	clear(d.codes)
	d.entries.lengths, d.entries.text = d.entries.lengths[:0], d.entries.text[:0]
	d.blocks, d.misses, d.skip = 0, 0, 0
}

// encode gives the code of each string of a block, in dst's memory. ok is false
// when too many of them are new, and then the dictionary is as before.
func (d *dictionary) encode(dst []uint64, t *texts) (_ []uint64, ok bool) {
	if d.skip > 0 {
		d.skip--
		return dst, false
	}
	if len(t.text) > maxDictionaryText {
		return dst, false
	}
	if d.codes == nil {
		d.codes = make(map[string]uint64)
	}
	dst = dst[:0]
	before := len(d.entries.lengths)
	textBefore := len(d.entries.text)
	most := min(before+len(t.lengths)/16+4, maxEntries)
	at := uint64(0)
	for _, n := range t.lengths {
		s := t.text[at : at+n]
		at += n
		code, known := d.codes[string(s)]
		if !known {
			if len(d.entries.lengths) == most || len(d.entries.text)+len(s) > maxEntriesText {
				d.forget(before, textBefore)
				// Each miss in a row takes the time of a trial: look again
				// after longer and longer.
				d.misses = min(d.misses+1, 10)
				d.skip = 1<<d.misses - 2
				return dst, false
			}
			code = uint64(len(d.entries.lengths))
			d.codes[string(s)] = code
			d.entries.lengths = append(d.entries.lengths, n)
			d.entries.text = append(d.entries.text, s...)
		}
		dst = append(dst, code)
	}
	d.misses = 0
	d.blocks++
	return dst, true
}

// forget takes back the entries from number n on.
func (d *dictionary) forget(n, text int) {
	at := text
	for _, length := range d.entries.lengths[n:] {
		delete(d.codes, string(d.entries.text[at:at+int(length)]))
		at += int(length)
	}
	d.entries.lengths, d.entries.text = d.entries.lengths[:n], d.entries.text[:text]
}

// append adds the dictionary as a table.
func (d *dictionary) append(dst []byte, e *Encoder) []byte {
	dst = append(dst, kindDictionary)
	dst = binary.AppendUvarint(dst, uint64(len(d.entries.lengths)))
	dst = e.appendSized(dst, d.entries.lengths)
	return append(dst, d.entries.text...)
}

// dictionary reads what dictionary.append wrote after the kind.
func (r *reader) dictionary(e *entries) error {
	n := r.uvarint()
	if r.bad || n == 0 || n > maxEntries {
		return model.ErrCorrupt
	}
	e.ends = make([]uint64, n)
	total, ok := r.lengths(e.ends)
	if !ok || total > maxEntriesText {
		return model.ErrCorrupt
	}
	e.text = r.take(total)
	if r.bad {
		return model.ErrCorrupt
	}
	e.add()
	return nil
}
