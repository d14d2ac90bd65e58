package httpapi

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"sync/atomic"
	"time"
)

// maxRequestID bounds an id that a client chose; the rest is cut off.
const maxRequestID = 256

// idSource makes UUIDs of version 1: the time, a counter that tells the ids of
// one moment apart, and a random node.
type idSource struct {
	count atomic.Uint32
	node  atomic.Uint64 // 0 until the first id
}

// gregorian is the 100 ns intervals from the calendar's start in 1582 to 1970.
const gregorian = 122192928000000000

// of gives the id that the client chose, or a new one.
func (s *idSource) of(r *http.Request) string {
	for _, name := range []string{"X-Request-Id", "Request-Id"} {
		if id := r.Header.Get(name); id != "" {
			return headerText(id[:min(len(id), maxRequestID)])
		}
	}
	return s.next()
}

func (s *idSource) next() string {
	node := s.node.Load()
	for node == 0 {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		s.node.CompareAndSwap(0, binary.BigEndian.Uint64(b[:])|1<<40)
		node = s.node.Load()
	}
	t := uint64(time.Now().UnixNano())/100 + gregorian
	var u, n [16]byte
	binary.BigEndian.PutUint32(u[0:], uint32(t))
	binary.BigEndian.PutUint16(u[4:], uint16(t>>32))
	binary.BigEndian.PutUint16(u[6:], uint16(t>>48)&0x0fff|0x1000)
	binary.BigEndian.PutUint16(u[8:], uint16(s.count.Add(1))&0x3fff|0x8000)
	binary.BigEndian.PutUint64(n[8:], node)
	copy(u[10:], n[10:])
	out := make([]byte, 0, 36)
	for i, part := range [][]byte{u[0:4], u[4:6], u[6:8], u[8:10], u[10:16]} {
		if i > 0 {
			out = append(out, '-')
		}
		out = hex.AppendEncode(out, part)
	}
	return string(out)
}
