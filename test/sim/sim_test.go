package sim

import (
	"flag"
	"testing"
	"time"
)

var (
	seedFlag    = flag.Uint64("seed", 0, "run this seed only")
	seedsFlag   = flag.Int("seeds", 0, "number of seeds to run")
	minutesFlag = flag.Float64("minutes", 0, "run seeds for so long")
	fromFlag    = flag.Uint64("from", 1, "the first seed")
)

func TestReplicasCannotDisagree(t *testing.T) {
	if *seedFlag != 0 {
		p := Draw(*seedFlag)
		r := Run(p, true)
		for _, line := range r.Trace {
			t.Log(line)
		}
		t.Log(p)
		if r.Violation != nil {
			t.Fatal(r.Violation)
		}
		return
	}
	n := *seedsFlag
	if n == 0 {
		n = 100
	}
	start := time.Now()
	for s := range uint64(n) {
		p := Draw(*fromFlag + s)
		if r := Run(p, false); r.Violation != nil {
			t.Errorf("%v\n%v\ngo test ./test/sim -run %s -seed %d -v", r.Violation, p, t.Name(), p.Seed)
		}
	}
	t.Logf("%d seeds in %v", n, time.Since(start))
}
