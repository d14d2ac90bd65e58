package hostile

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

const bigSeries = 1_000_000

// begin is when the points of big begin.
var begin = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// big makes the database of that name: a measurement of a million series with a
// point each. It is made once for all rows of a server.
func big(s *server) {
	s.once("big", func() {
		s.ask("CREATE DATABASE big")
		s.load("big", bigSeries, func(b *bytes.Buffer, i int) {
			fmt.Fprintf(b, "many,host=h%05d,rack=r%d v=%d,s=\"s%d\" %d\n", i%100_000, i/100_000, i, i, begin.Add(time.Duration(i%60)*time.Second).UnixNano())
		})
		s.settle(0) // what loading left behind
	})
}

// huge has five million series, in five weeks: no shard has more than it may.
func huge(s *server) {
	s.once("huge", func() {
		s.ask("CREATE DATABASE huge")
		s.load("huge", 5*bigSeries, func(b *bytes.Buffer, i int) {
			fmt.Fprintf(b, "many,host=h%05d,rack=r%d v=1 %d\n", i%100_000, i/100_000, begin.AddDate(0, 0, 7*(i/bigSeries)).UnixNano())
		})
		s.settle(0)
	})
}

func (s *server) once(name string, make func()) {
	if !s.made[name] {
		s.made[name] = true
		make()
	}
}

// load writes so many lines, and again what is refused for the time being.
func (s *server) load(db string, n int, line func(b *bytes.Buffer, i int)) {
	const batch = 20_000
	began := time.Now()
	var b bytes.Buffer
	for i := range n {
		line(&b, i)
		if (i+1)%batch != 0 && i != n-1 {
			continue
		}
		for {
			err := s.Write(db, b.String())
			if err == nil {
				break
			}
			if s.Ended() || !strings.Contains(err.Error(), "503") && !strings.Contains(err.Error(), "timeout") || time.Since(began) > 10*time.Minute {
				s.t.Logf("%s: %d of %d lines of %s could be written: %v", s.name, i, n, db, short(err.Error()))
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		b.Reset()
	}
	s.t.Logf("%s: %s loaded in %v", s.name, db, time.Since(began).Round(time.Millisecond))
}
