package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"strings"

	"github.com/varvedb/varve/model"
)

// blockSeries is how many keys of a file are coded together: enough for most
// tags to be repeated inside, few enough to decode all for one.
const blockSeries = 64

// maxBlockText bounds the text of the tokens of a block that is read: what
// blockSeries keys of the longest kind that is written can have.
const maxBlockText = blockSeries << 16

// A key is cut at its commas into tokens: the measurement, and tags as
// "key=value", still escaped. The n-th tokens of the keys of a block are its
// n-th column. A token that the column has already is its place there; one that
// is new shares a prefix with the newest of the column.

// nextToken cuts the first token off a key. more is false for the last one.
func nextToken(key []byte) (token, rest []byte, more bool) {
	for from := 0; ; {
		i := bytes.IndexByte(key[from:], ',')
		if i < 0 {
			return key, nil, false
		}
		// A comma after a backslash is escaped; AppendSeriesKey escapes no backslash.
		if i += from; i == 0 || key[i-1] != '\\' {
			return key[:i], key[i+1:], true
		}
		from = i + 1
	}
}

// blockWriter codes the keys of one block.
type blockWriter struct {
	columns []column
	used    int
	cut     [][]byte // tokens of the key that is added
	seed    maphash.Seed
}

type column struct {
	tokens [][]byte
	places [2 * blockSeries]uint8 // by hash: place in tokens plus one
	last   int
}

func newBlockWriter() *blockWriter { return &blockWriter{seed: maphash.MakeSeed()} }

// reset begins a block. Keys that were added are let go.
func (w *blockWriter) reset() {
	for i := range w.used {
		c := &w.columns[i]
		clear(c.tokens)
		c.tokens, c.last = c.tokens[:0], 0
		clear(c.places[:])
	}
	clear(w.cut)
	w.used = 0
}

// append adds a key, which must not change until reset.
func (w *blockWriter) append(dst, key []byte) []byte {
	w.cut = w.cut[:0]
	for token, rest, more := []byte(nil), key, true; more; {
		token, rest, more = nextToken(rest)
		w.cut = append(w.cut, token)
	}
	dst = binary.AppendUvarint(dst, uint64(len(w.cut)))
	for i, token := range w.cut {
		if i == len(w.columns) {
			w.columns = append(w.columns, column{})
		}
		w.used = max(w.used, i+1)
		dst = w.columns[i].append(dst, token, w.seed)
	}
	return dst
}

func (c *column) append(dst, token []byte, seed maphash.Seed) []byte {
	if len(c.tokens) > 0 && bytes.Equal(c.tokens[c.last], token) {
		return binary.AppendUvarint(dst, uint64(c.last+1))
	}
	const mask = uint64(len(c.places) - 1)
	i := maphash.Bytes(seed, token) & mask
	for ; c.places[i] != 0; i = (i + 1) & mask {
		if at := int(c.places[i]) - 1; bytes.Equal(c.tokens[at], token) {
			c.last = at
			return binary.AppendUvarint(dst, uint64(at+1))
		}
	}
	shared := 0
	if n := len(c.tokens); n > 0 {
		shared = sharedPrefix(c.tokens[n-1], token)
	}
	c.last = len(c.tokens)
	c.tokens = append(c.tokens, token)
	c.places[i] = uint8(len(c.tokens))
	dst = append(dst, 0)
	dst = binary.AppendUvarint(dst, uint64(shared))
	dst = binary.AppendUvarint(dst, uint64(len(token)-shared))
	return append(dst, token[shared:]...)
}

func sharedPrefix(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// block is the keys of up to blockSeries series. It is immutable and on its
// own: it refers to no file.
type block struct {
	first  uint32 // id of the first series
	text   string // of the tokens, one after the other
	tokens []token
	refs   []uint32 // into tokens, series by series
	ends   []uint32 // per series, into refs
}

// token is a measurement or tag in the text of a block. A measurement has eq
// == end.
type token struct {
	start, eq, end uint32
	escaped        bool
}

// decodeBlock reads the block of n series from first on. Errors are of kind
// model.ErrCorrupt.
func decodeBlock(b []byte, first uint32, n int) (*block, error) {
	k := &block{first: first, ends: make([]uint32, 0, n), refs: make([]uint32, 0, 12*n)}
	var columns [][]uint32 // per column, its tokens
	text := make([]byte, 0, 2*len(b))
	bad := func(what string) (*block, error) {
		return nil, fmt.Errorf("keys of series %d to %d: %s: %w", first, int(first)+n, what, model.ErrCorrupt)
	}
	number := func() (uint64, bool) {
		if len(b) > 0 && b[0] < 0x80 {
			v := b[0]
			b = b[1:]
			return uint64(v), true
		}
		v, used := binary.Uvarint(b)
		if used <= 0 {
			return 0, false
		}
		b = b[used:]
		return v, true
	}
	for range n {
		count, ok := number()
		if !ok || count == 0 || count > uint64(len(b)) {
			return bad("bad number of tokens")
		}
		for i := range int(count) {
			place, ok := number()
			if !ok {
				return bad("cut off")
			}
			if i == len(columns) {
				columns = append(columns, nil)
			}
			if place > 0 {
				if place > uint64(len(columns[i])) {
					return bad("bad place")
				}
				k.refs = append(k.refs, columns[i][place-1])
				continue
			}
			shared, ok := number()
			size, ok2 := number()
			if !ok || !ok2 || size > uint64(len(b)) {
				return bad("bad length")
			}
			start := len(text)
			if shared > 0 {
				if len(columns[i]) == 0 {
					return bad("bad prefix")
				}
				before := k.tokens[columns[i][len(columns[i])-1]]
				if shared > uint64(before.end-before.start) {
					return bad("bad prefix")
				}
				text = append(text, text[before.start:before.start+uint32(shared)]...)
			}
			text = append(text, b[:size]...)
			b = b[size:]
			if len(text) > maxBlockText {
				return bad("too much text")
			}
			t, ok := parseToken(text, start, i == 0)
			if !ok {
				return bad("not a tag")
			}
			at := uint32(len(k.tokens))
			k.tokens = append(k.tokens, t)
			columns[i] = append(columns[i], at)
			k.refs = append(k.refs, at)
		}
		k.ends = append(k.ends, uint32(len(k.refs)))
	}
	if len(b) > 0 {
		return bad("bytes left")
	}
	k.text = string(text)
	return k, nil
}

// parseToken reads the token from start to the end of text.
func parseToken(text []byte, start int, measurement bool) (t token, ok bool) {
	t = token{start: uint32(start), eq: uint32(len(text)), end: uint32(len(text))}
	b := text[start:]
	t.escaped = bytes.IndexByte(b, '\\') >= 0
	if measurement {
		return t, true
	}
	eq := indexEqual(b)
	t.eq = uint32(start + eq)
	return t, eq >= 0
}

// indexEqual finds the equal sign between key and value of a tag.
func indexEqual(tag []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(tag[from:], '=')
		if i < 0 {
			return -1
		}
		if i += from; i == 0 || tag[i-1] != '\\' {
			return i
		}
		from = i + 1
	}
}

func (k *block) of(id uint32) []uint32 {
	i := id - k.first
	from := uint32(0)
	if i > 0 {
		from = k.ends[i-1]
	}
	return k.refs[from:k.ends[i]]
}

func (k *block) appendKey(dst []byte, id uint32) []byte {
	for i, ref := range k.of(id) {
		if i > 0 {
			dst = append(dst, ',')
		}
		t := k.tokens[ref]
		dst = append(dst, k.text[t.start:t.end]...)
	}
	return dst
}

func (k *block) keyBytes(id uint32) int {
	refs := k.of(id)
	n := len(refs) - 1
	for _, ref := range refs {
		n += int(k.tokens[ref].end - k.tokens[ref].start)
	}
	return n
}

func (k *block) measurement(id uint32) string {
	t := k.tokens[k.of(id)[0]]
	s := k.text[t.start:t.end]
	if t.escaped {
		return unescape(s, ", ")
	}
	return s
}

func (k *block) tags(id uint32) model.Tags {
	refs := k.of(id)[1:]
	if len(refs) == 0 {
		return nil
	}
	tags := make(model.Tags, len(refs))
	for i, ref := range refs {
		t := k.tokens[ref]
		key, value := k.text[t.start:t.eq], k.text[t.eq+1:t.end]
		if t.escaped {
			key, value = unescape(key, ", ="), unescape(value, ", =")
		}
		tags[i] = model.Tag{Key: key, Value: value}
	}
	return tags
}

func (k *block) tag(id uint32, key string) string {
	for _, ref := range k.of(id)[1:] {
		t := k.tokens[ref]
		name, value := k.text[t.start:t.eq], k.text[t.eq+1:t.end]
		if t.escaped {
			name, value = unescape(name, ", ="), unescape(value, ", =")
		}
		if name == key {
			return value
		}
	}
	return ""
}

// unescape takes out the backslashes that stand before one of special.
func unescape(s, special string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(special, s[i+1]) >= 0 {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}

// keysPart is the part of a file with its keys: the blocks, and where each ends.
type keysPart struct {
	blocks []byte
	ends   []byte // 8 bytes a block
	first  uint32
	count  int
}

func newKeysPart(b []byte, first uint32, count int) (keysPart, error) {
	n := (count + blockSeries - 1) / blockSeries
	if len(b)/8 < n {
		return keysPart{}, fmt.Errorf("keys of %d series in %d bytes: %w", count, len(b), model.ErrCorrupt)
	}
	at := len(b) - 8*n
	return keysPart{blocks: b[:at], ends: b[at:], first: first, count: count}, nil
}

// block decodes the block of a series.
func (p *keysPart) block(id uint32) (*block, error) {
	i := int(id-p.first) / blockSeries
	start, end := uint64(0), binary.LittleEndian.Uint64(p.ends[8*i:])
	if i > 0 {
		start = binary.LittleEndian.Uint64(p.ends[8*i-8:])
	}
	if start > end || end > uint64(len(p.blocks)) || end-start > math.MaxInt32 {
		return nil, fmt.Errorf("keys of series %d: bytes %d to %d of %d: %w", id, start, end, len(p.blocks), model.ErrCorrupt)
	}
	first := p.first + uint32(i)*blockSeries
	return decodeBlock(p.blocks[start:end], first, min(blockSeries, p.count-i*blockSeries))
}
