package hostile

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const maxBody = 25e6 // of InfluxDB

// bodies are requests whose frame is hostile, whatever is in it.
var bodies = []row{
	{
		number: 1, input: "gzip bomb of 1 GiB", want: `^413 Request Entity Too Large`, within: time.Second, flat: true,
		send: func(s *server) string { return s.writeGzip(bomb(1 << 30)) },
	},
	{
		number: 2, input: "gzip in gzip", want: `^400 unable to parse`,
		send: func(s *server) string { return s.writeGzip(zip(zip([]byte("m v=1")))) },
	},
	{
		number: 3, input: "gzip cut off", want: `^400 unexpected EOF`,
		send: func(s *server) string {
			b := zip([]byte(strings.Repeat("m v=1\n", 1000)))
			return s.writeGzip(b[:len(b)/2])
		},
	},
	{
		number: 4, input: "no gzip, but called so", want: `^400 `,
		send: func(s *server) string { return s.writeGzip([]byte("m v=1 1")) },
	},
	{
		number: 5, input: "body of 25 MB and a byte, its length told", want: `^413 Request Entity Too Large`, flat: true,
		send: func(s *server) string { return s.writeBody(bytes.NewReader(make([]byte, maxBody+1))) },
	},
	{
		number: 6, input: "body of 25 MB and a byte, chunked", want: `^413 Request Entity Too Large`, flat: true,
		send: func(s *server) string { return s.writeBody(endless("m v=1 1\n", maxBody+1)) },
	},
	{
		number: 7, input: "Content-Length: -1", want: `^400 `,
		send: func(s *server) string { return s.rawWrite("Content-Length: -1") },
	},
	{
		number: 7, input: "Content-Length of 2⁶³-1", want: `^413 `,
		send: func(s *server) string { return s.rawWrite("Content-Length: 9223372036854775807") },
	},
	{
		number: 7, input: "Content-Length of 2⁶⁴", want: `^400 `,
		send: func(s *server) string { return s.rawWrite("Content-Length: 18446744073709551616") },
	},
	{
		number: 8, input: "100-continue, and then nothing", want: `^closed without an answer`, within: 70 * time.Second, heavy: true,
		send: func(s *server) string { return s.rawWrite("Content-Length: 1000", "Expect: 100-continue") },
	},
	{
		number: 9, input: "2,000 connections that send a header byte by byte", want: `^2000 of 2000 closed within 15 s, a write took at most`, heavy: true,
		within: 40 * time.Second,
		send:   func(s *server) string { return s.drip(2000, 15*time.Second) },
	},
	{
		number: 10, input: "header of 1 MiB", want: `^431 `,
		send: func(s *server) string { return s.rawWrite("X-Long: " + strings.Repeat("a", 1<<20)) },
	},
	{
		number: 11, input: "10,000 headers", want: `^431 `,
		send: func(s *server) string {
			var all []string
			for i := range 10_000 {
				all = append(all, fmt.Sprintf("X-%d: v", i))
			}
			return s.rawWrite(all...)
		},
	},
	{
		number: 12, input: "body of 1 byte per second", want: `^closed without an answer`, within: 70 * time.Second, heavy: true,
		send: func(s *server) string { return s.slowBody(time.Second) },
	},
}

func (s *server) writeGzip(b []byte) string {
	return s.send(http.MethodPost, "/write?db="+s.db, bytes.NewReader(b), "Content-Encoding", "gzip")
}

// rawWrite sends the header of a write with further lines, and no body.
func (s *server) rawWrite(header ...string) string {
	return s.raw(s.writeHeader(header...) + "\r\n")
}

func (s *server) writeHeader(header ...string) string {
	return "POST /write?db=" + s.db + " HTTP/1.1\r\nHost: varve\r\n" + strings.Join(header, "\r\n") + "\r\n"
}

func zip(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(b)
	_ = w.Close()
	return z.Bytes()
}

// bomb gives a gzip file of n zeros, of so many equal members.
func bomb(n int) []byte {
	const member = 16 << 20
	return bytes.Repeat(zip(make([]byte, member)), n/member)
}

// endless gives a text again and again, of whose length nothing is known.
func endless(text string, n int64) io.Reader {
	return io.LimitReader(&repeated{text: strings.Repeat(text, 4096/len(text)+1)}, n)
}

type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		c := copy(p[n:], r.text[r.at:])
		n += c
		r.at = (r.at + c) % len(r.text)
	}
	return n, nil
}

// drip opens connections that send a header slowly, and looks how many of them
// are closed in time and how long a healthy write takes meanwhile.
func (s *server) drip(connections int, within time.Duration) string {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		closed int
	)
	began := time.Now()
	for range connections {
		conn, err := s.dial()
		if err != nil {
			continue
		}
		wg.Go(func() {
			defer conn.Close()
			if dripUntil(conn, s.writeHeader()+"X-Slow: ", began.Add(within)) {
				mu.Lock()
				closed++
				mu.Unlock()
			}
		})
	}
	done := make(chan struct{})
	var took []time.Duration
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
			sent := time.Now()
			if err := s.Write(s.db, "m v=1 1"); err != nil {
				s.t.Errorf("a healthy write: %v", err)
				return
			}
			took = append(took, time.Since(sent))
		}
	})
	time.Sleep(time.Until(began.Add(within)))
	close(done)
	wg.Wait()
	return fmt.Sprintf("%d of %d closed within %.0f s, a write took at most %v", closed, connections, within.Seconds(), slices.Max(took).Round(time.Millisecond))
}

// dripUntil sends a byte now and then until the other end closes, and reports
// whether it did before end.
func dripUntil(conn net.Conn, text string, end time.Time) bool {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = conn.SetReadDeadline(end)
		_, _ = io.Copy(io.Discard, conn)
	}()
	for i := 0; ; i++ {
		select {
		case <-gone:
			return time.Now().Before(end)
		case <-time.After(500 * time.Millisecond):
			if _, err := conn.Write([]byte{text[min(i, len(text)-1)]}); err != nil {
				<-gone
				return time.Now().Before(end)
			}
		}
	}
}

// slowBody sends a header and then a byte in each interval.
func (s *server) slowBody(interval time.Duration) string {
	conn, err := s.dial()
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, s.writeHeader("Content-Length: 1000000")+"\r\n"); err != nil {
		return failure(err)
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(interval):
				_, _ = io.WriteString(conn, "m")
			}
		}
	}()
	return s.answerOn(conn)
}
