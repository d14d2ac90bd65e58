package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varvedb/varve/model"
	"github.com/varvedb/varve/model/lineprotocol"
	"github.com/varvedb/varve/query"
)

func gzipped(t testing.TB, b []byte) string {
	t.Helper()
	var buf bytes.Buffer
	z, _ := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func TestBodiesAreBounded(t *testing.T) {
	small := func(c *Config) { c.MaxBodyBytes, c.MaxUnpackedBytes, c.MaxInflightBytes = 1000, 10_000, 1<<20 }
	lines := strings.Repeat("m v=1 1\n", 124)
	long := strings.Repeat("m v=1 1\n", 126)
	for _, c := range []struct {
		name, body, encoding string
		status               int
	}{
		{"within the limit", lines, "", 204},
		{"too long", long, "", 413},
		{"compressed", gzipped(t, []byte(long)), "gzip", 204},
		{"unpacks to too much", gzipped(t, []byte(strings.Repeat(long, 20))), "gzip", 413},
		{"cut off", gzipped(t, []byte(long))[:30], "gzip", 400},
		{"gzip in gzip", gzipped(t, []byte(gzipped(t, []byte(lines)))), "gzip", 400},
	} {
		b := newBench(t, small)
		var header []string
		if c.encoding != "" {
			header = []string{"Content-Encoding", c.encoding}
		}
		w := b.do("POST", "/write?db=db", c.body, header...)
		if w.Code != c.status {
			t.Errorf("%s: got %d %s, want %d", c.name, w.Code, w.Body, c.status)
		}
		if c.status == 413 && (w.Header().Get("Connection") != "close" || w.Body.String() != `{"error":"Request Entity Too Large"}`+"\n") {
			t.Errorf("%s: got %v %s", c.name, w.Header(), w.Body)
		}
		if used := b.budget.used.Load(); used != 0 {
			t.Errorf("%s: %d bytes are still counted as in flight", c.name, used)
		}
	}

	// Without a length the limit shows only while reading.
	b := newBench(t, small)
	r := httptest.NewRequest("POST", "/write?db=db", io.MultiReader(strings.NewReader(long)))
	r.ContentLength = -1
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	if w.Code != 413 {
		t.Errorf("too long without a length: got %d, want 413", w.Code)
	}

	w = b.do("POST", "/query", "q="+strings.Repeat("x", 2*len(long)), "Content-Type", "application/x-www-form-urlencoded")
	if w.Code != 413 {
		t.Errorf("too long a form: got %d %s, want 413", w.Code, w.Body)
	}
}

func TestGzipBombEndsByItsRatio(t *testing.T) {
	b := newBench(t, nil)
	bomb := gzipped(t, make([]byte, 64<<20))
	if w := b.do("POST", "/write?db=db", bomb, "Content-Encoding", "gzip"); w.Code != 413 {
		t.Errorf("got %d, want 413", w.Code)
	}
}

func TestBytesInFlightAreBounded(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxBodyBytes, c.MaxUnpackedBytes, c.MaxInflightBytes = 5000, 5000, 6000 })
	inner := 0
	b.writer.hook = func(context.Context) {
		b.writer.hook = nil
		inner = b.do("POST", "/write?db=db", strings.Repeat("m v=2 2\n", 500)).Code
	}
	if w := b.do("POST", "/write?db=db", strings.Repeat("m v=1 1\n", 500)); w.Code != 204 {
		t.Errorf("first write: got %d, want 204", w.Code)
	}
	if inner != 503 {
		t.Errorf("write while the first one is stored: got %d, want 503", inner)
	}
	if w := b.do("POST", "/write?db=db", strings.Repeat("m v=1 1\n", 500)); w.Code != 204 {
		t.Errorf("write after the first one: got %d, want 204", w.Code)
	}
}

// usedUp is a Memory without any left.
type usedUp struct{ error }

func (m usedUp) Writes() error  { return m.error }
func (m usedUp) Queries() error { return m.error }
func (m usedUp) Behind() bool   { return false }

// behind is a Memory whose rows are flushed too slowly.
type behind struct{ enough }

func (behind) Behind() bool { return true }

type parserFunc func([]byte, lineprotocol.Options) (*lineprotocol.Result, error)

func (f parserFunc) Parse(body []byte, opt lineprotocol.Options) (*lineprotocol.Result, error) {
	return f(body, opt)
}

func TestNothingIsUnpackedOrParsedThatCouldNotBeKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.budget.memory = behind{}
		b.parts.Parser = parserFunc(func([]byte, lineprotocol.Options) (*lineprotocol.Result, error) {
			t.Error("a body was parsed")
			return &lineprotocol.Result{}, nil
		})
		begin := time.Now()
		w := b.do("POST", "/write?db=db", "no gzip, which nobody looks at", "Content-Encoding", "gzip")
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || time.Since(begin) < parsePatience || time.Since(begin) > 2*parsePatience {
			t.Errorf("got %d, Retry-After %q after %v", w.Code, w.Header().Get("Retry-After"), time.Since(begin))
		}
	})
}

func TestWithoutMemoryRequestsAreToldToComeBack(t *testing.T) {
	b := newBench(t, nil)
	b.budget.memory = usedUp{&model.Error{Kind: model.ErrOverloaded, Text: "no memory"}}
	for _, path := range []string{"/write?db=db", "/query?q=SELECT+1"} {
		if w := b.do("POST", path, "m v=1"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s gave %d, Retry-After %q", path, w.Code, w.Header().Get("Retry-After"))
		}
	}
}

// An owner whose disk hangs keeps what it was sent, and clients send again.
func TestBatchIsInFlightUntilItsOwnersLetGoOfIt(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxBodyBytes, c.MaxUnpackedBytes, c.MaxInflightBytes = 5000, 5000, 6000 })
	b.writer.keep, b.writer.err = true, &model.Error{Kind: model.ErrUnavailable, Text: "timeout"}
	lines := strings.Repeat("m v=1 1\n", 500)
	b.do("POST", "/write?db=db", lines)
	b.do("POST", "/write?db=db", lines)
	if n := len(b.writer.got); n != 1 {
		t.Errorf("%d batches are held at a time, want 1", n)
	}
	b.writer.got[0].Release()
	if used := b.budget.used.Load(); used != 0 {
		t.Errorf("%d bytes are still counted as in flight", used)
	}
	b.writer.keep, b.writer.err = false, nil
	if w := b.do("POST", "/write?db=db", lines); w.Code != 204 {
		t.Errorf("write after the owner has let go: got %d, want 204", w.Code)
	}
}

// A body that fits alone must get through alone: it would come again for ever.
func TestBodyNeedsNoMoreRoomThanItsLimit(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxBodyBytes, c.MaxUnpackedBytes, c.MaxInflightBytes = 100_000, 100_000, 100_000 })
	lines := strings.Repeat("m v=1 1\n", 100_000/8)
	if w := b.do("POST", "/write?db=db", lines); w.Code != 204 {
		t.Errorf("with its length: got %d %s", w.Code, w.Body)
	}
	if w := b.do("POST", "/write?db=db", gzipped(t, []byte(lines)), "Content-Encoding", "gzip"); w.Code != 204 {
		t.Errorf("compressed: got %d %s", w.Code, w.Body)
	}
}

func TestASlowBodyIsGivenUp(t *testing.T) {
	b := newBench(t, func(c *Config) { c.BodyTimeout = 50 * time.Millisecond })
	server := httptest.NewServer(b.Handler())
	defer server.Close()
	for _, head := range []string{
		"POST /write?db=db HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nm v=1",
		"POST /query HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nq=x",
		"POST /query HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100\r\n\r\n--b\r\n",
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, head)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if got, err := io.ReadAll(conn); err != nil || len(got) > 0 {
			t.Errorf("%s\ngot %q, %v, want the connection closed without an answer", head, got, err)
		}
		conn.Close()
	}
	if len(b.writer.got) > 0 || len(b.queries.requests) > 0 {
		t.Error("half a body was used")
	}
}

func TestFormsAreCountedAsInFlight(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.MaxBodyBytes, c.MaxUnpackedBytes, c.MaxInflightBytes = 1_000_000, 1_000_000, 1_000_000
	})
	var used int64
	b.queries.answer = func(context.Context, query.Request, query.Sink) error { used = b.budget.used.Load(); return nil }
	pad := strings.Repeat("x", 100_000)
	for _, c := range []struct{ contentType, body string }{
		{"application/x-www-form-urlencoded", "q=x&pad=" + pad},
		{"multipart/form-data; boundary=B", "--B\r\nContent-Disposition: form-data; name=\"q\"; filename=\"f\"\r\n\r\n" + pad + "\r\n--B--\r\n"},
	} {
		used = 0
		if w := b.do("POST", "/query", c.body, "Content-Type", c.contentType); w.Code != 200 || used < 200_000 {
			t.Errorf("%s: %d %s with %d bytes in flight", c.contentType, w.Code, w.Body, used)
		}
		b.budget.used.Add(900_000)
		if w := b.do("POST", "/query", c.body, "Content-Type", c.contentType); w.Code != 503 {
			t.Errorf("%s while much is in flight: %d %s", c.contentType, w.Code, w.Body)
		}
		b.budget.used.Add(-900_000)
		if left := b.budget.used.Load(); left != 0 {
			t.Errorf("%s: %d bytes are still counted as in flight", c.contentType, left)
		}
	}
}
