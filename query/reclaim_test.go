package query

import (
	gometrics "runtime/metrics"
	"testing"
	"time"
)

// held keeps what a query has, where the compiler cannot do without it.
var held [][]byte

func TestMemoryOfAKilledQueryIsGivenBack(t *testing.T) {
	b := newBench(t, DefaultConfig())
	forced := func() uint64 {
		s := []gometrics.Sample{{Name: "/gc/cycles/forced:gc-cycles"}}
		gometrics.Read(s)
		return s[0].Value.Uint64()
	}
	for _, kill := range []string{"", "KILL QUERY 2"} {
		q, err := b.Parse(Request{Text: "SHOW DATABASES", Database: "db"})
		if err != nil {
			t.Fatal(err)
		}
		var sink recorder
		sink.hook = func() {
			if sink.String() != "#0" || kill == "" {
				return
			}
			for range 300 {
				held = append(held, make([]byte, 1<<20))
			}
			if got := b.run(t, Request{Text: kill}); got != "#0\n" {
				t.Errorf("%s: %s", kill, got)
			}
			held = nil
		}
		before := forced()
		if err := b.Execute(t.Context(), q, &sink); err != nil {
			t.Fatal(err)
		}
		if kill == "" {
			if forced() != before {
				t.Error("memory was collected after a query that ended by itself")
			}
			continue
		}
		for end := time.Now().Add(10 * time.Second); forced() == before; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d MB stay after the query was killed", heapBytes()>>20)
			}
		}
	}
}
