package hostile

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// storms are statements that make work for later, or very much of it.
var storms = []row{
	{
		number: 50, input: "SELECT INTO itself, ten times", want: `^1000 points, and 1000 afterwards$`,
		prepare: func(s *server) { s.write(manyLines("m,t=a v=%[1]d %[1]d", 1000)) },
		send: func(s *server) string {
			before := s.count("SELECT count(v) FROM m")
			for range 10 {
				s.ask("SELECT * INTO m FROM m GROUP BY *")
			}
			return fmt.Sprintf("%d points, and %d afterwards", before, s.count("SELECT count(v) FROM m"))
		},
	},
	{
		number: 50, input: "SELECT INTO itself, each series as two", want: `^4000 series after ten rounds$|^10\d\d series`,
		prepare: func(s *server) { s.write(manyLines("m,t=a%[1]d v=%[1]d %[1]d", 1000)) },
		send: func(s *server) string {
			for range 10 {
				s.ask("SELECT * INTO m FROM m") // tags become fields
			}
			return fmt.Sprintf("%d series after ten rounds", s.count("SHOW SERIES EXACT CARDINALITY"))
		},
	},
	{
		number: 51, input: "continuous query of every second onto itself, for five", want: `^200 and then [1-9]\d? points$`, heavy: true,
		prepare: onePoint,
		send: func(s *server) string {
			said := s.ask(fmt.Sprintf("CREATE CONTINUOUS QUERY q ON %s RESAMPLE EVERY 1s FOR 10s BEGIN SELECT count(v) AS v INTO m FROM m GROUP BY time(1s), * END", s.db))
			time.Sleep(5 * time.Second)
			return fmt.Sprintf("%s and then %d points", said, s.count("SELECT count(v) FROM m"))
		},
	},
	{
		number: 52, input: "100,000 continuous queries", want: `^\d+ made, then 200 .*limit`, heavy: true, within: 3 * time.Minute,
		send: func(s *server) string {
			return s.makeMany(100_000, func(i int) string {
				return fmt.Sprintf("CREATE CONTINUOUS QUERY q%d ON %s BEGIN SELECT mean(v) INTO n FROM m GROUP BY time(1h) END", i, s.db)
			})
		},
	},
	{
		number: 53, input: "CREATE DATABASE, 100,000 times", want: `^\d+ made, then 200 .*limit`, heavy: true, within: 3 * time.Minute,
		send: func(s *server) string {
			return s.makeMany(100_000, func(i int) string { return fmt.Sprintf("CREATE DATABASE flood%d", i) })
		},
	},
	{
		number: 54, input: "shard groups of 1 ns", want: `^200; groups of 1h0m0s; 200; groups of 1h0m0s$`,
		send: func(s *server) string {
			return each(func(q string) string { return s.ask(q) + "; groups of " + s.groupDuration("p") },
				"CREATE RETENTION POLICY p ON "+s.db+" DURATION INF REPLICATION 1 SHARD DURATION 1ns",
				"ALTER RETENTION POLICY p ON "+s.db+" SHARD DURATION 1ns")
		},
	},
	{
		number: 55, input: "points spread over 10,000 shard groups", want: `^413 write spans more than 2000 shard groups`, within: 70 * time.Second,
		send: func(s *server) string { return s.write(weeks(0, 10_000)) },
	},
	{
		number: 55, input: "the same in ten writes", want: `^(204|[45]\d\d [^;]*)(; (204|[45]\d\d [^;]*)){9}$`, heavy: true, within: 3 * time.Minute,
		send: func(s *server) string {
			var all []string
			for i := range 10 {
				all = append(all, weeks(1000*i, 1000))
			}
			return each(s.write, all...)
		},
	},
	{
		number: 56, input: "10,000 subscriptions", want: `^\d+ made, then 200 .*limit`, heavy: true, within: 3 * time.Minute,
		send: func(s *server) string {
			return s.makeMany(10_000, func(i int) string {
				return fmt.Sprintf("CREATE SUBSCRIPTION s%d ON %s.autogen DESTINATIONS ALL 'http://192.0.2.1:9999'", i, s.db)
			})
		},
	},
	{
		number: 57, input: "2,000 DELETEs of a range each", want: `^2000 deleted, 8000 left$`,
		prepare: func(s *server) { s.write(manyLines("m,t=a v=%[1]d %[1]d", 10_000)) },
		send: func(s *server) string {
			n, said := s.deleteRanges(2000, time.Minute)
			return fmt.Sprintf("%d deleted%s, %d left", n, said, s.count("SELECT count(v) FROM m"))
		},
	},
	{
		number: 57, input: "DELETEs of a million ranges, for a minute", want: `^(\d+) deleted, consistent$`, heavy: true,
		within: 3 * time.Minute,
		prepare: func(s *server) {
			for from := 0; from < 5_000_000; from += 500_000 {
				s.write(manyLines(fmt.Sprintf("m,t=a v=1 %d%%06d", from/500_000), 500_000))
			}
		},
		send: func(s *server) string {
			before := s.count("SELECT count(v) FROM m")
			n, said := s.deleteRanges(1_000_000, time.Minute)
			if left := s.count("SELECT count(v) FROM m"); left != before-n {
				return fmt.Sprintf("%d of %d deleted%s, %d left", n, before, said, left)
			}
			return fmt.Sprintf("%d deleted, consistent", n)
		},
	},
	{
		number: 58, input: "DROP MEASUREMENT while it is written", want: `^[1-9]\d* drops beside [1-9]\d* writes, consistent$`, within: 20 * time.Second,
		send: func(s *server) string {
			return s.dropAndWrite("DROP MEASUREMENT m")
		},
	},
	{
		number: 59, input: "DROP SERIES and DROP SHARD while it is written", want: `^[1-9]\d* drops beside [1-9]\d* writes, consistent$`, within: 20 * time.Second,
		send: func(s *server) string {
			return s.dropAndWrite("DROP SERIES FROM m WHERE t = 'a'; DELETE FROM m WHERE time < 500")
		},
	},
	{
		number: 60, input: "DROP DATABASE while it is written and read", want: `^[1-9]\d* drops beside [1-9]\d* writes, consistent$`, within: 20 * time.Second,
		send: func(s *server) string {
			return s.dropAndWrite("DROP DATABASE " + s.db + "; CREATE DATABASE " + s.db)
		},
	},
}

// makeMany sends statements that make something until one is refused, for at
// most two minutes, and gives how many were made and what was said then.
func (s *server) makeMany(n int, statement func(i int) string) string {
	const batch = 50
	made := 0
	for end := time.Now().Add(2 * time.Minute); made < n; {
		var all []string
		for i := range batch {
			all = append(all, statement(made+i))
		}
		if got := s.ask(strings.Join(all, "; ")); got != "200" {
			return fmt.Sprintf("%d made, then %s", made, got)
		}
		if made += batch; time.Now().After(end) {
			return fmt.Sprintf("%d made in two minutes", made)
		}
	}
	return fmt.Sprintf("%d made", made)
}

// weeks gives so many points, a week apart.
func weeks(from, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "m v=1 %d\n", begin.AddDate(-190, 0, 7*(from+i)).UnixNano())
	}
	return b.String()
}

// groupDuration gives how long the shard groups of a policy are.
func (s *server) groupDuration(policy string) string {
	rows, err := s.Query(s.db, "SHOW RETENTION POLICIES")
	if err != nil {
		return err.Error()
	}
	for _, r := range rows {
		if r[0] == policy {
			return fmt.Sprint(r[2])
		}
	}
	return "nothing"
}

// deleteRanges deletes points 0, 5, 10 … by a range each, and gives how many it
// deleted in the time that it had, and why no more.
func (s *server) deleteRanges(n int, atMost time.Duration) (done int, said string) {
	const batch = 100
	for end := time.Now().Add(atMost); done < n && time.Now().Before(end); done += batch {
		var all []string
		for i := done; i < done+batch; i++ {
			all = append(all, fmt.Sprintf("DELETE FROM m WHERE time >= %d AND time < %d", 5*i, 5*i+1))
		}
		if got := s.ask(strings.Join(all, "; ")); got != "200" {
			return done, ", then " + got
		}
	}
	return done, ""
}

// dropAndWrite drops again and again while others write and read. Afterwards
// what is dropped must be gone and what is written must be there.
func (s *server) dropAndWrite(drop string) string {
	var wg sync.WaitGroup
	var drops, writes atomic.Int64
	var odd sync.Map
	done := make(chan struct{})
	again := func(f func()) {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					f()
				}
			}
		})
	}
	for range 2 {
		again(func() {
			switch got := s.write(manyLines("m,t=a v=%[1]d,w=%[1]d %[1]d", 1000)); {
			case got == "204":
				writes.Add(1)
			case strings.HasPrefix(got, "404"), strings.HasPrefix(got, "503"): // between DROP and CREATE
			default:
				odd.Store(got, true)
			}
		})
	}
	again(func() {
		if got := s.ask(drop); got == "200" {
			drops.Add(1)
		} else {
			odd.Store(got, true)
		}
	})
	again(func() {
		switch got := s.ask("SELECT * FROM m"); {
		case got == "200", strings.Contains(got, "database not found"):
		default:
			odd.Store(got, true)
		}
	})
	time.Sleep(3 * time.Second)
	close(done)
	wg.Wait()
	said := "consistent"
	odd.Range(func(k, _ any) bool { said = k.(string); return false })
	s.ask("DROP MEASUREMENT m")
	if n := s.count("SELECT count(v) FROM m"); n != 0 {
		said = fmt.Sprintf("%d points after the last drop", n)
	}
	s.write("m,t=a v=1,w=1 1\nm,t=b v=1 2")
	if n := s.count("SELECT count(v) FROM m"); n != 2 {
		said = fmt.Sprintf("%d points of 2 written afterwards", n)
	}
	return fmt.Sprintf("%d drops beside %d writes, %s", drops.Load(), writes.Load(), said)
}
