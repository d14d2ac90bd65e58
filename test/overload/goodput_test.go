package overload

import (
	"bytes"
	"compress/gzip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	batch  = 5000 // points of a write
	period = 10 * time.Second
	cpus   = 0.5 // that the server may have
	least  = 0.1 // that it is taken to have
)

// TestGoodputStaysWhenMoreIsOffered measures what is written by clients that wait
// for each answer, and then what is written of three times that.
func TestGoodputStaysWhenMoreIsOffered(t *testing.T) {
	skipUnless(t, *heavy)
	for _, encoding := range []string{"", "gzip"} {
		t.Run("encoding "+encoding, func(t *testing.T) {
			s := start(t, "1g", cpus, "--memory-limit", "600m")
			s.create("db")
			body := body(encoding)
			s.writers(4, encoding, body, period/2) // what was never met costs more
			peak := max(s.writers(4, encoding, body, period), s.writers(32, encoding, body, period))
			got := s.offer(3*peak, encoding, body, 3*period)
			t.Logf("peak: %.0f points in a second of CPU; of three times that %.0f (%.0f %%), p99 %v; refused %d, without an answer in %v %d; most memory %d MB",
				peak, got.goodput, 100*got.goodput/peak, got.p99.Round(time.Millisecond), got.refused, clientTimeout, got.lost, s.usage().PeakMemory>>20)
			if got.goodput < 0.8*peak {
				t.Errorf("less than 80 %% of the peak is written")
			}
			if got.wrong > 0 {
				t.Errorf("%d answers are neither 204 nor 503 with Retry-After", got.wrong)
			}
		})
	}
}

// body gives a write's body.
func body(encoding string) []byte {
	b := points(batch)
	if encoding == "" {
		return b
	}
	var z bytes.Buffer
	w, _ := gzip.NewWriterLevel(&z, gzip.BestSpeed)
	_, _ = w.Write(b) // a Buffer takes everything
	_ = w.Close()
	return z.Bytes()
}

// writers gives the points that n clients write in a second of the server's CPU,
// each of which waits for its answer. The machine has other work, which takes the
// server's part of the clock.
func (s *server) writers(n int, encoding string, body []byte, during time.Duration) float64 {
	var written atomic.Int64
	var wg sync.WaitGroup
	begin, cpu := time.Now(), s.usage().CPU
	for range n {
		wg.Go(func() {
			for time.Since(begin) < during {
				if a := s.post("/write?db=db", "text/plain", encoding, body); a.status == 204 {
					written.Add(batch)
				} else {
					time.Sleep(time.Second) // as Retry-After says
				}
			}
		})
	}
	wg.Wait()
	return float64(written.Load()) / (s.usage().CPU - cpu).Seconds()
}

// offered is what became of what was offered.
type offered struct {
	goodput              float64 // points written in a second of CPU
	p99                  time.Duration
	refused, lost, wrong int
}

// offer sends so many points for each second that the server has had of a
// processor, whatever becomes of those before. It may be given less than its
// group's part: the machine has other work.
func (s *server) offer(rate float64, encoding string, body []byte, during time.Duration) (o offered) {
	var mu sync.Mutex // protects o and times
	var times []time.Duration
	var wg sync.WaitGroup
	begin, cpu := time.Now(), s.usage().CPU
	for i := 0; time.Since(begin) < during; i++ {
		for float64(i*batch) > rate*max((s.usage().CPU-cpu).Seconds(), least*time.Since(begin).Seconds()) {
			time.Sleep(5 * time.Millisecond)
		}
		wg.Go(func() {
			a := s.post("/write?db=db", "text/plain", encoding, body)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case a.status == 204:
				o.goodput += batch
				times = append(times, a.after)
			case a.status == 503 && a.retry != "":
				o.refused++
			case a.status == 0:
				o.lost++
			default:
				o.wrong++
				s.t.Logf("%d %s", a.status, a.text)
			}
		})
	}
	wg.Wait()
	o.goodput /= (s.usage().CPU - cpu).Seconds()
	o.p99 = quantile(0.99, times)
	return o
}
