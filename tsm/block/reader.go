package block

import "encoding/binary"

// reader takes a block apart. After bytes that are missing or malformed it
// gives zeros and is bad for good.
type reader struct {
	p   []byte
	bad bool
}

// done reports whether all went well and nothing is left.
func (r *reader) done() bool { return !r.bad && len(r.p) == 0 }

func (r *reader) fail() {
	r.bad = true
	r.p = nil
}

func (r *reader) byte() byte {
	if len(r.p) == 0 {
		r.fail()
		return 0
	}
	b := r.p[0]
	r.p = r.p[1:]
	return b
}

func (r *reader) uvarint() uint64 {
	if len(r.p) > 0 && r.p[0] < 0x80 {
		v := uint64(r.p[0])
		r.p = r.p[1:]
		return v
	}
	v, n := binary.Uvarint(r.p)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.p = r.p[n:]
	return v
}

func (r *reader) varint() int64 { return unzigzag(r.uvarint()) }

// take gives the next n bytes.
func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.p)) {
		r.fail()
		return nil
	}
	b := r.p[:n:n]
	r.p = r.p[n:]
	return b
}
