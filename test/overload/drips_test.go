package overload

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	drips    = 2000
	closedIn = 15 * time.Second
	healthy  = 4 // clients
)

// TestConnectionsThatDripAreClosed has half of them send a header, and half a body,
// a byte a second. What others see of it is measured up to three times: the machine
// has other work.
func TestConnectionsThatDripAreClosed(t *testing.T) {
	skipUnless(t, *heavy)
	s := start(t, "1g", 0)
	s.create("db")
	for try := range 3 {
		before := s.healthy(10 * time.Second)
		during, open := s.healthyBesideDrips()
		t.Logf("%d connections that drip: open for %v at most; p99 of others %v, before %v", drips, open.Round(time.Millisecond), during.Round(time.Microsecond), before.Round(time.Microsecond))
		if open >= closedIn {
			t.Errorf("one is open after %v", open)
		}
		if during <= 2*before {
			return
		}
		if try == 2 {
			t.Errorf("the p99 of others is %v, it was %v", during, before)
		}
	}
}

// healthyBesideDrips gives the p99 of others and for how long drips were open at
// most.
func (s *server) healthyBesideDrips() (p99, longest time.Duration) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex // protects longest
	for i := range drips {
		wg.Go(func() {
			after := s.drip(ctx, i%2 == 0)
			mu.Lock()
			defer mu.Unlock()
			longest = max(longest, after)
		})
	}
	p99 = s.healthy(closedIn)
	cancel()
	wg.Wait()
	return p99, longest
}

// drip sends a byte a second until the connection is closed, and gives after which
// time that was.
func (s *server) drip(ctx context.Context, header bool) time.Duration {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		s.t.Error(err)
		return 0
	}
	defer conn.Close()
	start := time.Now()
	if header {
		fmt.Fprint(conn, "POST /write?db=db HTTP/1.1\r\nX: ")
	} else {
		fmt.Fprint(conn, "POST /write?db=db HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, _ = io.Copy(io.Discard, conn) // ends when the connection does
	}()
	for {
		select {
		case <-closed:
			return time.Since(start)
		case <-ctx.Done():
			return time.Since(start)
		case <-time.After(time.Second):
			_, _ = conn.Write([]byte("x")) // what fails here is closed
		}
	}
}

// healthy gives the p99 of clients that write a point now and then.
func (s *server) healthy(during time.Duration) time.Duration {
	var wg sync.WaitGroup
	var mu sync.Mutex // protects times
	var times []time.Duration
	begin := time.Now()
	for i := range healthy {
		wg.Go(func() {
			for time.Since(begin) < during {
				a := s.post("/write?db=db", "text/plain", "", fmt.Appendf(nil, "healthy,client=%d v=1", i))
				if a.status != 204 {
					s.t.Errorf("a healthy client got %d %s", a.status, a.text)
				}
				mu.Lock()
				times = append(times, a.after)
				mu.Unlock()
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	return quantile(0.99, times)
}

// TestAnAnswerThatIsTakenSlowlyIsCutOff asks for about 1 GB.
func TestAnAnswerThatIsTakenSlowlyIsCutOff(t *testing.T) {
	skipUnless(t, *heavy)
	s := start(t, "1g", 0, "--memory-limit", "600m")
	s.create("db")
	for range 20 {
		if a := s.post("/write?db=db", "text/plain", "", points(batch)); a.status != 204 {
			t.Fatalf("%d %s", a.status, a.text)
		}
	}
	columns := make([]string, 500)
	for i := range columns {
		columns[i] = fmt.Sprintf("usage_%d%%20AS%%20a%d", i%10, i)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /query?db=db&chunked=true&q=SELECT%%20%s%%20FROM%%20cpu HTTP/1.1\r\nHost: x\r\n\r\n", strings.Join(columns, ","))
	start := time.Now()
	buf := make([]byte, 1024)
	if _, err := io.ReadFull(conn, buf); err != nil || !strings.HasPrefix(string(buf), "HTTP/1.1 200") {
		t.Fatalf("got %.100q, %v", buf, err)
	}
	held := s.usage().Memory
	most := held
	for time.Since(start) < 3*time.Minute {
		if m, err := s.Metrics(); err != nil {
			t.Fatal(err)
		} else if m["query_active"] == 0 {
			break
		}
		_, _ = conn.Read(buf) // 1 KB a second
		time.Sleep(time.Second)
		most = max(most, s.usage().Memory)
	}
	took := time.Since(start)
	t.Logf("cut off after %v; memory %d MB, at most %d MB", took.Round(time.Second), held>>20, most>>20)
	if took > 2*time.Minute {
		t.Errorf("the query runs for %v", took)
	}
	if most > held+64<<20 {
		t.Errorf("memory rose from %d to %d MB", held>>20, most>>20)
	}
}
