package overload

import (
	"bytes"
	"compress/gzip"
	"sync"
	"testing"
	"time"
)

const (
	batch  = 5000 // points of a write
	rounds = 3
	period = 10 * time.Second // of a round, for each of its halves
	cpus   = 0.5              // that the server may have
	least  = 0.1              // that it is taken to have
)

// TestGoodputStaysWhenMoreIsOffered measures what is written by clients that wait
// for each answer, and what is written of three times that, in turns: what is
// written in one is flushed and merged in another, and the machine has other work.
func TestGoodputStaysWhenMoreIsOffered(t *testing.T) {
	skipUnless(t, *heavy)
	for _, encoding := range []string{"", "gzip"} {
		t.Run("encoding "+encoding, func(t *testing.T) {
			s := start(t, "1g", cpus, "--memory-limit", "600m")
			s.create("db")
			body := body(encoding)
			s.writers(32, encoding, body, period/2) // what was never met costs more
			var peak, got offered
			for range rounds {
				peak.add(s.writers(32, encoding, body, period))
				got.add(s.offer(3*peak.goodput(), encoding, body, period))
			}
			t.Logf("peak: %.0f points in a second of CPU; of three times that %.0f (%.0f %%), p99 %v; refused %d, without an answer in %v %d; most memory %d MB",
				peak.goodput(), got.goodput(), 100*got.goodput()/peak.goodput(), quantile(0.99, got.times).Round(time.Millisecond), got.refused, clientTimeout, got.lost, s.usage().PeakMemory>>20)
			if got.goodput() < 0.8*peak.goodput() {
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

// offered is what became of what was offered.
type offered struct {
	written              int
	cpu                  time.Duration // of the server
	times                []time.Duration
	refused, lost, wrong int
}

// goodput gives the points that were written in a second of the server's CPU. Of
// the clock's seconds others take their part.
func (o *offered) goodput() float64 { return float64(o.written) / o.cpu.Seconds() }

func (o *offered) add(other offered) {
	o.written += other.written
	o.cpu += other.cpu
	o.times = append(o.times, other.times...)
	o.refused += other.refused
	o.lost += other.lost
	o.wrong += other.wrong
}

// count counts an answer.
func (o *offered) count(a answer) {
	switch {
	case a.status == 204:
		o.written += batch
		o.times = append(o.times, a.after)
	case a.status == 503 && a.retry != "":
		o.refused++
	case a.status == 0:
		o.lost++
	default:
		o.wrong++
	}
}

// writers has n clients write, each of which waits for its answer.
func (s *server) writers(n int, encoding string, body []byte, during time.Duration) (o offered) {
	var mu sync.Mutex // protects o
	var wg sync.WaitGroup
	begin, cpu := time.Now(), s.usage().CPU
	for range n {
		wg.Go(func() {
			for time.Since(begin) < during {
				a := s.post("/write?db=db", "text/plain", encoding, body)
				mu.Lock()
				o.count(a)
				mu.Unlock()
				if a.status != 204 {
					time.Sleep(time.Second) // as Retry-After says
				}
			}
		})
	}
	wg.Wait()
	o.cpu = s.usage().CPU - cpu
	return o
}

// offer sends so many points for each second that the server has had of a
// processor, whatever becomes of those before. It may be given less than its
// group's part: the machine has other work.
func (s *server) offer(rate float64, encoding string, body []byte, during time.Duration) (o offered) {
	var mu sync.Mutex // protects o
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
			o.count(a)
		})
	}
	wg.Wait()
	o.cpu = s.usage().CPU - cpu
	return o
}
