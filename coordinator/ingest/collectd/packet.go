package collectd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Security is what a packet must be at least to be taken.
type Security int

// The levels of security.
const (
	None Security = iota
	Signed
	Encrypted
)

// list is the values of one part, and what the parts before it say of them.
type list struct {
	host, plugin, pluginInstance, typ, typeInstance string

	time  int64 // nanoseconds since 1970; 0: none was sent
	kinds []Kind
	bits  []uint64
}

// The types of parts.
const (
	partHost           = 0x0000
	partTime           = 0x0001
	partPlugin         = 0x0002
	partPluginInstance = 0x0003
	partType           = 0x0004
	partTypeInstance   = 0x0005
	partValues         = 0x0006
	partTimeHR         = 0x0008
	partSignature      = 0x0200
	partEncrypted      = 0x0210
)

// headerBytes is the type and length of a part.
const headerBytes = 4

var (
	errPart     = errors.New("a part has a wrong length")
	errText     = errors.New("a text does not end in a NUL")
	errNested   = errors.New("signed or encrypted more than once")
	errSecurity = errors.New("neither signed nor encrypted as security-level asks")
)

// reader reads packets. It keeps nothing between them.
type reader struct {
	security  Security
	passwords *Passwords
	each      func(*list)
}

// read reads parts that are secured at a level. What is signed may have encrypted
// parts in it, but nothing is signed or encrypted twice: the work for a packet
// stays in proportion to its length.
func (r *reader) read(b []byte, level Security) error {
	var state list
	for len(b) > 0 {
		if len(b) < headerBytes {
			return errPart
		}
		kind, length := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if length <= headerBytes || length > len(b) {
			return errPart
		}
		content := b[headerBytes:length]
		b = b[length:]
		switch kind {
		case partSignature:
			if level >= Signed {
				return errNested
			}
			if err := r.verify(content, b); err != nil {
				return err
			}
			return r.read(b, Signed)
		case partEncrypted:
			if level == Encrypted {
				return errNested
			}
			plain, err := r.decrypt(content)
			if err != nil {
				return err
			}
			if err := r.read(plain, Encrypted); err != nil {
				return err
			}
		case partValues:
			if err := state.setValues(content); err != nil {
				return err
			}
			if level < r.security {
				return errSecurity
			}
			r.each(&state)
		default:
			if err := state.set(kind, content); err != nil {
				return err
			}
		}
	}
	return nil
}

// set takes what a part says of the values after it.
func (l *list) set(kind uint16, content []byte) error {
	switch kind {
	case partHost:
		return setText(&l.host, content)
	case partPlugin:
		return setText(&l.plugin, content)
	case partPluginInstance:
		return setText(&l.pluginInstance, content)
	case partType:
		return setText(&l.typ, content)
	case partTypeInstance:
		return setText(&l.typeInstance, content)
	case partTime, partTimeHR:
		if len(content) != 8 {
			return errPart
		}
		n := binary.BigEndian.Uint64(content)
		if kind == partTime {
			l.time = time.Unix(int64(min(n, maxSeconds)), 0).UnixNano()
		} else {
			l.time = fineTime(n)
		}
	}
	return nil
}

// maxSeconds is a time that can be told in nanoseconds: the year 2262.
const maxSeconds = 1<<33 + 1<<29

// fineTime gives units of 2^-30 seconds in nanoseconds, rounded.
func fineTime(n uint64) int64 {
	seconds, part := min(n>>30, maxSeconds), n&(1<<30-1)
	return int64(seconds*1e9 + (part*1e9+1<<29)>>30)
}

func setText(to *string, content []byte) error {
	n := len(content) - 1
	if content[n] != 0 {
		return errText
	}
	*to = string(content[:n])
	return nil
}

func (l *list) setValues(content []byte) error {
	if len(content) < 2 {
		return errPart
	}
	n := int(binary.BigEndian.Uint16(content))
	content = content[2:]
	if len(content) != 9*n {
		return errPart
	}
	l.kinds, l.bits = l.kinds[:0], l.bits[:0]
	for i := range n {
		k, value := Kind(content[i]), content[n+8*i:]
		switch k {
		case Gauge:
			l.bits = append(l.bits, binary.LittleEndian.Uint64(value))
		case Counter, Derive:
			l.bits = append(l.bits, binary.BigEndian.Uint64(value))
		default:
			return fmt.Errorf("a value of the unknown kind %d", k)
		}
		l.kinds = append(l.kinds, k)
	}
	return nil
}
