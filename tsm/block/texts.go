package block

import (
	"encoding/binary"

	"github.com/golang/snappy"

	"github.com/varvedb/varve/model"
)

// The ways to keep strings. The numbers are in blocks and never change.
const (
	textRaw        = 0 // lengths, bytes
	textSnappy     = 1 // lengths, bytes compressed
	textDictionary = 2 // distinct strings by first use, and for each row which it has
	textZstd       = 3 // lengths, bytes compressed more
)

// maxDictionaryText bounds what a block of few distinct strings may expand to,
// since nothing else does: each row may have the longest of them.
const maxDictionaryText = 4 << 20

// snappyRatio bounds how much snappy expands: an element of three bytes gives
// 64 at most.
const snappyRatio = 22

// expands reports whether text of so many bytes may come from so many
// compressed ones.
func expands(text, compressed int) bool {
	return text <= max(compressed*snappyRatio, maxDictionaryText)
}

// texts is strings one after the other, without the rows that have none.
type texts struct {
	lengths []uint64
	text    []byte
}

// appendTexts adds a block of at least one string.
func (e *Encoder) appendTexts(dst []byte, t *texts) []byte {
	if len(t.text) <= maxDictionaryText {
		if out, ok := e.appendDictionary(dst, t); ok {
			return out
		}
	}
	e.compressed = snappy.Encode(e.compressed[:cap(e.compressed)], t.text)
	kind, text := byte(textRaw), t.text
	if len(e.compressed) < len(text)-len(text)/10 {
		kind, text = textSnappy, e.compressed
	}
	if e.cold {
		if p := e.zstd.compress(t.text); len(p) < len(text)-len(text)/10 && expands(len(t.text), len(p)) {
			kind, text = textZstd, p
		}
	}
	dst = append(dst, kind)
	dst = e.appendSized(dst, t.lengths)
	return append(dst, text...)
}

// appendSized adds a block of integers that something follows.
func (e *Encoder) appendSized(dst []byte, values []uint64) []byte {
	e.sized = e.appendInts(e.sized[:0], values)
	dst = binary.AppendUvarint(dst, uint64(len(e.sized)))
	return append(dst, e.sized...)
}

// appendDictionary adds strings of which at most one in four is distinct; ok
// is false when there are more.
func (e *Encoder) appendDictionary(dst []byte, t *texts) (_ []byte, ok bool) {
	most := max(len(t.lengths)/4, 1)
	if e.codes == nil {
		e.codes = make(map[string]uint64)
	}
	clear(e.codes)
	e.ints = e.ints[:0]
	e.entries.lengths, e.entries.text = e.entries.lengths[:0], e.entries.text[:0]
	at := uint64(0)
	for _, n := range t.lengths {
		s := t.text[at : at+n]
		at += n
		code, known := e.codes[string(s)]
		if !known {
			if len(e.codes) == most {
				return dst, false
			}
			code = uint64(len(e.codes))
			e.codes[string(s)] = code
			e.entries.lengths = append(e.entries.lengths, n)
			e.entries.text = append(e.entries.text, s...)
		}
		e.ints = append(e.ints, code)
	}
	dst = append(dst, textDictionary)
	dst = binary.AppendUvarint(dst, uint64(len(e.entries.lengths)))
	dst = e.appendSized(dst, e.entries.lengths)
	dst = append(dst, e.entries.text...)
	return e.appendInts(dst, e.ints), true
}

// decodeTexts decodes a block of strings into t's memory; t has a length for
// each.
func (d *Decoder) decodeTexts(t *texts, p []byte) error {
	r := reader{p: p}
	kind := r.byte()
	switch kind {
	case textRaw, textSnappy, textZstd:
		total, ok := r.lengths(t.lengths)
		if !ok {
			return model.ErrCorrupt
		}
		if kind == textRaw {
			if total != uint64(len(r.p)) {
				return model.ErrCorrupt
			}
			t.text = append(t.text[:0], r.p...)
			return nil
		}
		if kind == textZstd {
			if !expands(int(total), len(r.p)) {
				return model.ErrCorrupt
			}
			var ok bool
			if t.text, ok = d.zstd.expand(resize(t.text, int(total)), r.p); !ok {
				return model.ErrCorrupt
			}
			return nil
		}
		size, err := snappy.DecodedLen(r.p)
		if err != nil || uint64(size) != total || total > uint64(len(r.p))*snappyRatio {
			return model.ErrCorrupt
		}
		t.text, err = snappy.Decode(resize(t.text, size), r.p)
		if err != nil {
			return model.ErrCorrupt
		}
		return nil
	case textDictionary:
		return d.dictionary(t, &r)
	}
	return model.ErrCorrupt
}

// lengths fills dst with lengths of strings and gives their sum.
func (r *reader) lengths(dst []uint64) (total uint64, ok bool) {
	p := r.take(r.uvarint())
	if r.bad || decodeInts(dst, p) != nil {
		return 0, false
	}
	for _, n := range dst {
		if n > 1<<32-1 {
			return 0, false
		}
		total += n
	}
	// Ends of a model.Column are 32 bits.
	return total, total <= 1<<32-1
}

func (d *Decoder) dictionary(t *texts, r *reader) error {
	entries := r.uvarint()
	if r.bad || entries == 0 || entries > uint64(len(t.lengths)) {
		return model.ErrCorrupt
	}
	d.entries.ends = resize(d.entries.ends, int(entries))
	total, ok := r.lengths(d.entries.ends)
	if !ok {
		return model.ErrCorrupt
	}
	d.entries.text = r.take(total)
	if r.bad {
		return model.ErrCorrupt
	}
	d.entries.add()
	err := d.entries.expand(t, r.p)
	d.entries.text = nil
	return err
}

// entries is the strings of a dictionary.
type entries struct {
	ends []uint64
	text []byte
}

// add makes ends of lengths.
func (e *entries) add() {
	end := uint64(0)
	for i, n := range e.ends {
		end += n
		e.ends[i] = end
	}
}

// expand decodes a block of integers that say which entry each row has; t has
// a length for every row.
func (e *entries) expand(t *texts, p []byte) error {
	if decodeInts(t.lengths, p) != nil {
		return model.ErrCorrupt
	}
	t.text = t.text[:0]
	for i, code := range t.lengths {
		if code >= uint64(len(e.ends)) {
			return model.ErrCorrupt
		}
		start := uint64(0)
		if code > 0 {
			start = e.ends[code-1]
		}
		s := e.text[start:e.ends[code]]
		if len(t.text)+len(s) > maxDictionaryText {
			return model.ErrCorrupt
		}
		t.text = append(t.text, s...)
		t.lengths[i] = uint64(len(s))
	}
	return nil
}
