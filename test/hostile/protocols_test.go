package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/golang/snappy"
)

// protocols are the other ways in.
var protocols = []row{
	{
		number: 71, input: "Prometheus write: snappy that says 4 GiB", want: `^(400|413) `, within: time.Second, flat: true,
		send: func(s *server) string { return s.prom("write", append(binary.AppendUvarint(nil, 1<<32-1), 0)) },
	},
	{
		number: 71, input: "Prometheus write: snappy bomb of 400 MiB", want: `^(400|413) `, within: 2 * time.Second, flat: true,
		send: func(s *server) string { return s.prom("write", snappyBomb(400<<20)) },
	},
	{
		number: 72, input: "Prometheus read: snappy bomb of 400 MiB", want: `^(400|413) `, within: 2 * time.Second, flat: true,
		send: func(s *server) string { return s.prom("read", snappyBomb(400<<20)) },
	},
	{
		number: 73, input: "Prometheus write: no protobuf, and one cut off", want: `^400 .*; 400 `,
		send: func(s *server) string {
			return s.prom("write", snappy.Encode(nil, []byte("no protobuf"))) + "; " + s.prom("write", snappy.Encode(nil, []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}))
		},
	},
	{
		number: 74, input: "Prometheus read: no protobuf", want: `^400 `,
		send: func(s *server) string { return s.prom("read", snappy.Encode(nil, []byte("no protobuf"))) },
	},
	{
		number: 75, input: "v2 write to bucket .., ../.., %2e%2e/", want: `^404 .*database not found: "\.\."; 404 .*database not found: "\.\."; 404 .*database not found: "\.\."$`,
		send: func(s *server) string {
			return each(func(bucket string) string {
				return s.send(http.MethodPost, "/api/v2/write?org=o&bucket="+bucket, strings.NewReader("m v=1 1"))
			}, "..", "../..", "%2e%2e/")
		},
	},
	{
		number: 75, input: "v2 delete in bucket ..", want: `^404 `,
		send: func(s *server) string {
			return s.send(http.MethodPost, "/api/v2/delete?org=o&bucket=..", strings.NewReader(`{"start":"1970-01-01T00:00:00Z","stop":"2030-01-01T00:00:00Z"}`), "Content-Type", "application/json")
		},
	},
	{
		number: 76, input: "precision=' OR 1=1, of 100 kB", want: `^400 invalid precision .*; (400 invalid precision|431 )`,
		send: func(s *server) string {
			return each(func(p string) string { return s.writeWith("m v=1 1", "precision", p) }, "' OR 1=1", strings.Repeat("n", 100_000))
		},
	},
	{
		number: 77, input: "UDP: 20,000 packets of nonsense and one good", want: `^1 point`,
		send: func(s *server) string {
			s.packets(s.ports.udp, 20_000, []byte(strings.Repeat("nonsense ", 100)))
			return s.arrives("udp", "SELECT count(v) FROM m", func() { s.packets(s.ports.udp, 1, []byte("m v=1 1")) })
		},
	},
	{
		number: 78, input: "Graphite: 100,000 lines of nonsense, one of 100 MB, and one good", want: `^1 point`,
		send: func(s *server) string {
			s.stream(s.ports.graphite, strings.NewReader(strings.Repeat("nonsense\n", 100_000)))
			s.stream(s.ports.graphite, endless("a", 100e6))
			return s.arrives("graphite", "SELECT count(value) FROM good", func() { s.stream(s.ports.graphite, strings.NewReader("good 1 1000000000\n")) })
		},
	},
	{
		number: 79, input: "OpenTSDB: 100,000 lines of nonsense, one of 100 MB, and one good", want: `^1 point`,
		send: func(s *server) string {
			s.stream(s.ports.openTSDB, strings.NewReader(strings.Repeat("nonsense\n", 100_000)))
			s.stream(s.ports.openTSDB, endless("a", 100e6))
			return s.arrives("opentsdb", "SELECT count(value) FROM good", func() {
				s.stream(s.ports.openTSDB, strings.NewReader("put good 1000000000 1 host=a\n"))
			})
		},
	},
	{
		number: 79, input: "OpenTSDB: HTTP body of 1 GiB", want: `^(400|413) |^closed without an answer`, flat: true,
		send: func(s *server) string {
			to := *s
			p := *s.Process
			p.URL = fmt.Sprintf("http://127.0.0.1:%d", s.ports.openTSDB)
			to.Process = &p
			return to.send(http.MethodPost, "/api/put", endless(`[{"metric":"m","timestamp":1,"value":1,"tags":{"a":"b"}},`, 1<<30))
		},
	},
	{
		number: 80, input: "collectd: 20,000 packets of nonsense and one good", want: `^1 point`,
		send: func(s *server) string {
			s.packets(s.ports.collectd, 20_000, bytes.Repeat([]byte{0, 6, 0xff, 0xff}, 200))
			return s.arrives("collectd", "SELECT count(value) FROM cpu_value", func() { s.packets(s.ports.collectd, 1, collectdPacket()) })
		},
	},
}

func (s *server) prom(what string, body []byte) string {
	return s.send(http.MethodPost, "/api/v1/prom/"+what+"?db="+s.db, bytes.NewReader(body), "Content-Encoding", "snappy", "Content-Type", "application/x-protobuf")
}

// snappyBomb gives n equal bytes, and one more, in snappy's block format: a
// literal and then copies of 64 bytes each, of three bytes.
func snappyBomb(n int) []byte {
	const copied = 64
	b := binary.AppendUvarint(nil, uint64(n+1))
	b = append(b, 0, 'a')
	b = append(b, bytes.Repeat([]byte{(copied-1)<<2 | 2, 1, 0}, n/copied)...)
	return b
}

// packets sends the same UDP packet so many times.
func (s *server) packets(port, n int, packet []byte) {
	conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return
	}
	defer conn.Close()
	for range n {
		_, _ = conn.Write(packet)
	}
}

// stream sends over TCP until all is sent or the other end has had enough.
func (s *server) stream(port int, from io.Reader) {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.Copy(conn, from)
}

// arrives sends a good point after the flood until it is there: UDP may lose it.
func (s *server) arrives(db, q string, send func()) string {
	s.ask("CREATE DATABASE " + db)
	for range 10 {
		send()
		time.Sleep(500 * time.Millisecond)
		if rows, err := s.Query(db, q); err == nil && len(rows) == 1 {
			return fmt.Sprintf("%v point", rows[0][1])
		}
	}
	return "nothing arrived"
}

// collectdPacket gives a packet of collectd's binary protocol with one value.
func collectdPacket() []byte {
	var b []byte
	text := func(kind uint16, s string) {
		b = binary.BigEndian.AppendUint16(b, kind)
		b = binary.BigEndian.AppendUint16(b, uint16(4+len(s)+1))
		b = append(append(b, s...), 0)
	}
	text(0, "host")
	b = binary.BigEndian.AppendUint16(b, 1) // time
	b = binary.BigEndian.AppendUint16(b, 12)
	b = binary.BigEndian.AppendUint64(b, 1_000_000_000)
	text(2, "cpu")
	text(4, "cpu")
	b = binary.BigEndian.AppendUint16(b, 6) // values
	b = binary.BigEndian.AppendUint16(b, 15)
	b = binary.BigEndian.AppendUint16(b, 1)
	b = append(b, 2) // DERIVE
	return binary.BigEndian.AppendUint64(b, 1)
}
