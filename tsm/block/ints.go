package block

import (
	"encoding/binary"

	"github.com/varvedb/varve/model"
)

// intCodec is one way to keep integers. A new one is a row in intCodecs: its
// place there is the byte that names it in a block, so rows are only added.
type intCodec struct {
	name string
	// size gives about the bytes the codec would take for what is profiled;
	// ok is false when it cannot keep it.
	size func(p *profile) (n int, ok bool)
	// append adds the values in the codec's form.
	append func(e *Encoder, dst []byte, p *profile) []byte
	// decode fills dst, which has a row at least, and uses up all of p.
	decode func(dst []uint64, p []byte) error
}

var intCodecs = [...]intCodec{
	{"raw", sizeRaw, appendRaw, decodeRaw},
	{"constant", sizeConstant, appendConstant, decodeConstant},
	{"step", sizeStep, appendStep, decodeStep},
	{"frame", sizeFrame, appendFrame, decodeFrame},
	{"delta", sizeDelta, appendDelta, decodeDelta},
	{"zigzag", sizeZigzag, appendZigzag, decodeZigzag},
}

// appendInts adds a block of at least one integer, by the codec that takes the
// fewest bytes; of equals the one that comes first in the table.
func (e *Encoder) appendInts(dst []byte, values []uint64) []byte {
	e.profile.measure(values, e.fast)
	best, bestSize := 0, 0
	for i := range intCodecs {
		if size, ok := intCodecs[i].size(&e.profile); ok && (i == 0 || size < bestSize) {
			best, bestSize = i, size
		}
	}
	dst = append(dst, byte(best))
	return intCodecs[best].append(e, dst, &e.profile)
}

// decodeInts is the inverse of appendInts; dst says how many values there are.
func decodeInts(dst []uint64, p []byte) error {
	if len(p) == 0 || int(p[0]) >= len(intCodecs) || len(dst) == 0 {
		return model.ErrCorrupt
	}
	return intCodecs[p[0]].decode(dst, p[1:])
}

func sizeRaw(p *profile) (int, bool) { return 8 * len(p.values), true }

func appendRaw(_ *Encoder, dst []byte, p *profile) []byte {
	for _, v := range p.values {
		dst = binary.LittleEndian.AppendUint64(dst, v)
	}
	return dst
}

func decodeRaw(dst []uint64, p []byte) error {
	if len(p) != 8*len(dst) {
		return model.ErrCorrupt
	}
	for i := range dst {
		dst[i] = binary.LittleEndian.Uint64(p[8*i:])
	}
	return nil
}

func sizeConstant(p *profile) (int, bool) { return 2, p.constant() }

func appendConstant(_ *Encoder, dst []byte, p *profile) []byte {
	return binary.AppendVarint(dst, int64(p.min))
}

func decodeConstant(dst []uint64, p []byte) error {
	r := reader{p: p}
	v := r.varint()
	if !r.done() {
		return model.ErrCorrupt
	}
	for i := range dst {
		dst[i] = uint64(v)
	}
	return nil
}

func sizeStep(p *profile) (int, bool) { return 4, p.step() }

func appendStep(_ *Encoder, dst []byte, p *profile) []byte {
	dst = binary.AppendVarint(dst, int64(p.values[0]))
	return binary.AppendVarint(dst, p.minDelta)
}

func decodeStep(dst []uint64, p []byte) error {
	r := reader{p: p}
	v, step := uint64(r.varint()), uint64(r.varint())
	if !r.done() {
		return model.ErrCorrupt
	}
	for i := range dst {
		dst[i] = v
		v += step
	}
	return nil
}

func sizeFrame(p *profile) (int, bool) { return p.frame.size + 4, !p.constant() && !p.step() }

func appendFrame(e *Encoder, dst []byte, p *profile) []byte {
	dst = binary.AppendVarint(dst, int64(p.min))
	e.packed = resize(e.packed, len(p.values))
	for i, v := range p.values {
		e.packed[i] = v - p.min
	}
	e.divide(p.frame.factor)
	return e.appendPatched(dst, &p.frame)
}

func decodeFrame(dst []uint64, p []byte) error {
	r := reader{p: p}
	base := uint64(r.varint())
	factor, ok := r.patched(dst)
	if !ok {
		return model.ErrCorrupt
	}
	if factor == 1 {
		for i := range dst {
			dst[i] += base
		}
		return nil
	}
	for i := range dst {
		dst[i] = dst[i]*factor + base
	}
	return nil
}

func sizeDelta(p *profile) (int, bool) { return p.delta.size + 6, !p.constant() && !p.step() }

func appendDelta(e *Encoder, dst []byte, p *profile) []byte {
	dst = binary.AppendVarint(dst, int64(p.values[0]))
	dst = binary.AppendVarint(dst, p.minDelta)
	e.packed = resize(e.packed, len(p.values)-1)
	for i := range e.packed {
		e.packed[i] = p.values[i+1] - p.values[i] - uint64(p.minDelta)
	}
	e.divide(p.delta.factor)
	return e.appendPatched(dst, &p.delta)
}

func decodeDelta(dst []uint64, p []byte) error {
	r := reader{p: p}
	v, base := uint64(r.varint()), uint64(r.varint())
	factor, ok := r.patched(dst[1:])
	if !ok {
		return model.ErrCorrupt
	}
	dst[0] = v
	if factor == 1 {
		for i, d := range dst[1:] {
			v += d + base
			dst[i+1] = v
		}
		return nil
	}
	for i, d := range dst[1:] {
		v += d*factor + base
		dst[i+1] = v
	}
	return nil
}

func sizeZigzag(p *profile) (int, bool) { return p.zigzag.size + 5, !p.constant() && !p.step() }

func appendZigzag(e *Encoder, dst []byte, p *profile) []byte {
	dst = binary.AppendVarint(dst, int64(p.values[0]))
	e.packed = resize(e.packed, len(p.values)-1)
	factor := p.zigzag.factor
	for i := range e.packed {
		d := int64(p.values[i+1] - p.values[i])
		if factor != 1 {
			// The magnitude is divided, as the factor may be 1<<63.
			u := magnitude(d) / factor
			if d = int64(u); int64(p.values[i+1]-p.values[i]) < 0 {
				d = -d
			}
		}
		e.packed[i] = zigzag(d)
	}
	return e.appendPatched(dst, &p.zigzag)
}

func decodeZigzag(dst []uint64, p []byte) error {
	r := reader{p: p}
	v := uint64(r.varint())
	factor, ok := r.patched(dst[1:])
	if !ok {
		return model.ErrCorrupt
	}
	dst[0] = v
	if factor == 1 {
		for i, d := range dst[1:] {
			v += uint64(unzigzag(d))
			dst[i+1] = v
		}
		return nil
	}
	for i, d := range dst[1:] {
		v += uint64(unzigzag(d)) * factor
		dst[i+1] = v
	}
	return nil
}

// divide divides e.packed by a factor of each.
func (e *Encoder) divide(factor uint64) {
	if factor == 1 {
		return
	}
	for i := range e.packed {
		e.packed[i] /= factor
	}
}
