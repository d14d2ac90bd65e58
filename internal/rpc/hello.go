package rpc

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/varvedb/varve/model"
)

// The formats of calls that this version speaks. Two nodes use the newest that
// both know; without one they refuse each other.
const (
	oldestFormat = 1
	newestFormat = 1
)

// helloMagic begins what either side sends first; its last byte is the version
// of the greeting itself.
const helloMagic = "varverpc\x01"

const (
	maxHello   = 1 << 10 // bytes after the magic and the length
	maxCluster = 128
	maxReason  = 512
)

// hello is what a client begins with.
type hello struct {
	oldest, newest uint64 // formats it can speak
	from           Identity
	wants          uint64 // the node it means to reach; 0: any
}

// welcome is the answer.
type welcome struct {
	reason string // why the connection is refused; "" otherwise
	format uint64 // to be spoken
	from   Identity
}

func (h *hello) append(dst []byte) []byte {
	b := binary.AppendUvarint(nil, h.oldest)
	b = binary.AppendUvarint(b, h.newest)
	b = appendIdentity(b, h.from)
	b = binary.AppendUvarint(b, h.wants)
	return appendGreeting(dst, b)
}

func decodeHello(b []byte) (h hello, err error) {
	d := decoder{b: b}
	h.oldest, h.newest = d.uvarint(), d.uvarint()
	h.from = d.identity()
	h.wants = d.uvarint()
	return h, d.end("hello")
}

func (w *welcome) append(dst []byte) []byte {
	reason := w.reason
	if len(reason) > maxReason {
		reason = reason[:maxReason]
	}
	b := binary.AppendUvarint(nil, uint64(len(reason)))
	b = append(b, reason...)
	b = binary.AppendUvarint(b, w.format)
	b = appendIdentity(b, w.from)
	return appendGreeting(dst, b)
}

func decodeWelcome(b []byte) (w welcome, err error) {
	d := decoder{b: b}
	w.reason = d.text(maxReason)
	w.format = d.uvarint()
	w.from = d.identity()
	return w, d.end("welcome")
}

func appendIdentity(dst []byte, id Identity) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(id.Cluster)))
	dst = append(dst, id.Cluster...)
	return binary.AppendUvarint(dst, id.Node)
}

// appendGreeting puts the magic and the length before a body. What a later
// version adds goes to the end of the body, where this one passes over it.
func appendGreeting(dst, body []byte) []byte {
	dst = append(dst, helloMagic...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(body)))
	return append(dst, body...)
}

// readGreeting reads a body. An error of kind model.ErrInvalid says that what
// comes is not ours.
func readGreeting(r io.Reader) ([]byte, error) {
	var head [len(helloMagic) + 2]byte
	// The magic alone first: a client of another protocol may send less.
	if _, err := io.ReadFull(r, head[:len(helloMagic)]); err != nil {
		return nil, err
	}
	version := len(helloMagic) - 1
	switch {
	case string(head[:version]) != helloMagic[:version]:
		return nil, fmt.Errorf("what was received is not of this protocol: %w", model.ErrInvalid)
	case head[version] != helloMagic[version]:
		return nil, fmt.Errorf("the other side greets in version %d, this one in %d: %w", head[version], helloMagic[version], model.ErrNotSupported)
	}
	if _, err := io.ReadFull(r, head[len(helloMagic):]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint16(head[len(helloMagic):])
	if size > maxHello {
		return nil, fmt.Errorf("greeting of %d bytes: %w", size, model.ErrInvalid)
	}
	b := make([]byte, size)
	_, err := io.ReadFull(r, b)
	return b, err
}

// decoder reads a greeting; after the first error it gives zeros.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || d.bad {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) text(limit int) string {
	n := d.uvarint()
	if d.bad || n > uint64(limit) || n > uint64(len(d.b)) {
		d.bad = true
		return ""
	}
	text := string(d.b[:n])
	d.b = d.b[n:]
	return text
}

func (d *decoder) identity() Identity {
	return Identity{Cluster: d.text(maxCluster), Node: d.uvarint()}
}

func (d *decoder) end(what string) error {
	if d.bad {
		return fmt.Errorf("%s that cannot be read: %w", what, model.ErrInvalid)
	}
	return nil
}

// common gives the newest format that both sides know.
func common(oldest, newest uint64) (uint64, error) {
	format := min(newest, newestFormat)
	if format < max(oldest, oldestFormat) {
		return 0, fmt.Errorf("the caller speaks formats %d to %d, this node %d to %d", oldest, newest, oldestFormat, newestFormat)
	}
	return format, nil
}
