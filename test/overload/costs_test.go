package overload

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/test/harness"
)

// zeros reads as many zeros as are asked for.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestWhatCostsMuchIsRefusedForLittle sends what is small for whoever sends it.
func TestWhatCostsMuchIsRefusedForLittle(t *testing.T) {
	skipUnless(t, *heavy)
	s := start(t, "1g", 0, "--memory-limit", "600m")
	s.create("db")
	var bomb bytes.Buffer
	z, _ := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	if _, err := io.CopyN(z, zeros{}, 1<<30); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	fields := []byte("m ")
	for i := range 300_000 {
		fields = fmt.Appendf(fields, "f%d=1,", i)
	}
	fields = append(fields, "f=1 1"...)
	deep := strings.Repeat("(", 1_500_000)
	for _, c := range []struct {
		name, path, kind, encoding string
		body                       []byte
		status                     int
		text                       string
		within                     time.Duration
	}{
		{"1.5 million parentheses", "/query?db=db", "application/x-www-form-urlencoded", "", []byte(url.Values{"q": {"SELECT " + deep}}.Encode()), 400, "query too complex", 100 * time.Millisecond},
		{"1 GiB in gzip", "/write?db=db", "text/plain", "gzip", bomb.Bytes(), 413, "Request Entity Too Large", time.Second},
		{"300,000 fields", "/write?db=db", "text/plain", "", fields, 400, "max line length exceeded: ", time.Second},
		{"200,000 fields", "/write?db=db", "text/plain", "", append(bytes.Clone(fields[:bytes.LastIndexByte(fields[:2<<20-10], ',')]), " 1"...), 400, "partial write: max-fields-per-point limit exceeded", time.Second},
	} {
		fastest, most := time.Hour, int64(0)
		for range 3 { // the machine has other work
			time.Sleep(time.Second)
			before := s.usage().Memory
			if err := harness.ResetPeak(s.PID()); err != nil {
				t.Skipf("cannot read the most memory: %v", err)
			}
			cpu := s.usage().CPU
			a := s.post(c.path, c.kind, c.encoding, c.body)
			after := s.usage()
			if a.status != c.status || !strings.Contains(a.text, c.text) {
				t.Errorf("%s: got %d %.200s … %d bytes", c.name, a.status, a.text, len(a.text))
			}
			fastest, most = min(fastest, a.after, after.CPU-cpu), max(most, after.PeakMemory-before)
		}
		t.Logf("%s: refused in %v of CPU, %d MB more memory", c.name, fastest.Round(time.Millisecond), most>>20)
		if fastest > c.within {
			t.Errorf("%s: refused after %v", c.name, fastest)
		}
		if most > 64<<20 {
			t.Errorf("%s: took %d MB", c.name, most>>20)
		}
	}
	if rows, err := s.Query("db", "SHOW MEASUREMENTS"); err != nil {
		t.Errorf("afterwards: %v, %v", rows, err)
	}
}
