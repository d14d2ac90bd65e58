package hostile

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// answered is a query that was answered whole or refused by a limit.
const answered = `^200( \d+ MB)?$|^200 .*(limit exceeded|memory for queries is used up|memory is nearly used up)|^503 `

// answers are queries that are hostile by how much they ask for.
var answers = []row{
	{
		number: 43, input: "SELECT * over a million series", want: answered, prepare: big, heavy: true,
		send: func(s *server) string { return s.ask("SELECT * FROM big..many") },
	},
	{
		number: 43, input: "SELECT * over a million series, not chunked", want: answered, prepare: big, heavy: true,
		send: func(s *server) string { return summary(s.query("SELECT * FROM big..many GROUP BY *")) },
	},
	{
		number: 44, input: "SHOW SERIES of five million", want: answered, prepare: huge, heavy: true,
		within: 70 * time.Second,
		send:   func(s *server) string { return s.ask("SHOW SERIES ON huge") },
	},
	{
		number: 45, input: "SHOW TAG VALUES of another database, 100,000 of a million series", want: answered, prepare: big, heavy: true,
		send: func(s *server) string { return s.ask("SHOW TAG VALUES ON big WITH KEY = host") },
	},
	{
		number: 46, input: "ten subqueries over a million series each", want: answered, prepare: big, heavy: true,
		within: 70 * time.Second,
		send: func(s *server) string {
			return s.ask("SELECT sum(v) FROM " + strings.TrimSuffix(strings.Repeat("(SELECT v FROM big..many GROUP BY host), ", 10), ", ") + " GROUP BY host")
		},
	},
	{
		number: 47, input: "1,000 heavy queries at a time", want: `^\d+ answered, [1-9]\d* refused with 503$`, prepare: big, heavy: true,
		within: 5 * time.Minute,
		send: func(s *server) string {
			return s.atOnce(1000, "SELECT count(v), mean(v) FROM big..many WHERE host =~ /^h0000.$/")
		},
	},
	{
		number: 48, input: "1,000 clients that leave in the middle", want: `^1000 left, 0 queries run a second later$`, prepare: big, heavy: true,
		within: 5 * time.Minute,
		send: func(s *server) string {
			for range 20 {
				s.leave(50, "SELECT * FROM big..many; SELECT mean(v) FROM big..many GROUP BY *")
			}
			time.Sleep(time.Second)
			return fmt.Sprintf("1000 left, %d queries run a second later", len(s.running()))
		},
	},
	{
		number: 49, input: "KILL QUERY from four sides, 200 times", want: `^200 ended, 0 queries run a second later$`, prepare: big, heavy: true,
		within: 5 * time.Minute,
		send: func(s *server) string {
			ended := s.killRaces(200, "SELECT mean(v) FROM big..many GROUP BY *")
			time.Sleep(time.Second)
			return fmt.Sprintf("%d ended, %d queries run a second later", ended, len(s.running()))
		},
	},
}

// atOnce sends a query from n clients at a time.
func (s *server) atOnce(n int, q string) string {
	var wg sync.WaitGroup
	var whole, refused, failed atomic.Int64
	var other sync.Map
	for range n {
		wg.Go(func() {
			switch got := s.ask(q); {
			case got == "200":
				whole.Add(1)
			case strings.HasPrefix(got, "503"):
				refused.Add(1)
			default:
				failed.Add(1)
				other.Store(got, true)
			}
		})
	}
	wg.Wait()
	text := fmt.Sprintf("%d answered, %d refused with 503", whole.Load(), refused.Load())
	if failed.Load() > 0 {
		text += fmt.Sprintf(", %d others", failed.Load())
		other.Range(func(k, _ any) bool { text += ": " + k.(string); return false })
	}
	return text
}

// leave has n clients ask, read the first bytes and go, some before these.
func (s *server) leave(n int, q string) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(20*i)*time.Millisecond)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/query?chunked=true&q="+url.QueryEscape(q), nil)
			if err != nil {
				return
			}
			resp, err := client.Do(req)
			if err != nil {
				return
			}
			defer resp.Body.Close()
			_, _ = io.ReadFull(bufio.NewReader(resp.Body), make([]byte, 64<<10))
		})
	}
	wg.Wait()
}

// killRaces has two clients ask again and again while others kill what runs, and
// gives how many queries ended.
func (s *server) killRaces(n int, q string) (ended int64) {
	var askers, killers sync.WaitGroup
	var count atomic.Int64
	done := make(chan struct{})
	for range 4 {
		killers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				for _, id := range s.running() {
					s.ask("KILL QUERY " + id)
				}
			}
		})
	}
	for range 2 {
		askers.Go(func() {
			for range n / 2 {
				if got := s.ask(q); strings.HasPrefix(got, "200") {
					count.Add(1)
				}
			}
		})
	}
	askers.Wait()
	close(done)
	killers.Wait()
	return count.Load()
}

// running gives the numbers of the queries that run, without the one that asks.
func (s *server) running() (ids []string) {
	rows, err := s.Query("", "SHOW QUERIES")
	if err != nil {
		return []string{err.Error()}
	}
	for _, r := range rows {
		if r[1] != "SHOW QUERIES" && !strings.HasPrefix(fmt.Sprint(r[1]), "KILL") {
			ids = append(ids, fmt.Sprint(r[0]))
		}
	}
	return ids
}
