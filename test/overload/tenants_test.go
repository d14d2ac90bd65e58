package overload

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestATenantAboveItsLimitHardlyTouchesAnother measures the p99 of database b
// while database a is sent what it may, and then ten times that. It is measured up
// to three times: the machine has other work.
func TestATenantAboveItsLimitHardlyTouchesAnother(t *testing.T) {
	skipUnless(t, *heavy)
	s := start(t, "1g", 0, "--memory-limit", "600m")
	s.create("a", "db")
	const limit = 20_000 // points a second
	resp, err := http.Post(s.URL+"/varve/v1/databases/a/limits", "application/json", strings.NewReader(fmt.Sprintf(`{"write_points":%d}`, limit)))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("set the limit: %v, %v", resp, err)
	}
	resp.Body.Close()
	body := points(1000)
	// beside gives the p99 of db while a is sent so many points a second.
	beside := func(rate int) (p99 time.Duration, written float64) {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		var mu sync.Mutex // protects written
		wg.Go(func() {
			tick := time.NewTicker(time.Second * 1000 / time.Duration(rate))
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				wg.Go(func() {
					if a := s.post("/write?db=a", "text/plain", "", body); a.status == 204 {
						mu.Lock()
						written += 1000
						mu.Unlock()
					} else if a.status != 503 {
						t.Errorf("a gets %d %s", a.status, a.text)
					}
				})
			}
		})
		begin := time.Now()
		p99 = s.healthy(15 * time.Second)
		close(stop)
		took := time.Since(begin)
		wg.Wait()
		return p99, written / took.Seconds()
	}
	for try := range 3 {
		before, _ := beside(limit)
		during, written := beside(10 * limit)
		t.Logf("p99 of b: %v while a is within its limit, %v at ten times that (%+.0f %%); of a %.0f points a second are written", before, during, 100*(during.Seconds()/before.Seconds()-1), written)
		if written > 1.2*limit {
			t.Errorf("a writes %.0f points a second, its limit is %d", written, limit)
		}
		if during < before*6/5 {
			return
		}
		if try == 2 {
			t.Errorf("the p99 of b rose by more than a fifth")
		}
	}
}
