package sim

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seedFlag    = flag.Uint64("seed", 0, "run this seed only, and with -v print what happens")
	stepsFlag   = flag.String("steps", "", "with -seed: only these steps of its plan")
	seedsFlag   = flag.Uint64("seeds", 300, "number of seeds to run")
	minutesFlag = flag.Float64("minutes", 0, "run seeds for so long, however many they are")
	fromFlag    = flag.Uint64("from", 1, "the first seed")
)

// TestReplicasCannotDisagree runs clusters and their faults from seeds.
func TestReplicasCannotDisagree(t *testing.T) {
	if *seedFlag != 0 {
		replay(t, only(t, Draw(*seedFlag), *stepsFlag))
		return
	}
	start := time.Now()
	var next, ran, broken atomic.Uint64
	next.Store(*fromFlag)
	var mu sync.Mutex
	var stats Stats
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				seed := next.Add(1) - 1
				over := seed-*fromFlag >= *seedsFlag
				if *minutesFlag > 0 {
					over = time.Since(start).Minutes() >= *minutesFlag
				}
				if over || broken.Load() >= 5 {
					return
				}
				r := Run(Draw(seed), false)
				ran.Add(1)
				mu.Lock()
				stats.add(&r.Stats)
				mu.Unlock()
				if r.Violation != nil {
					broken.Add(1)
					report(t, seed, r.Violation)
				}
			}
		})
	}
	workers.Wait()
	t.Logf("figure: simulator: %d seeds from %d in %.1fs, violations %d: %v", ran.Load(), *fromFlag, time.Since(start).Seconds(), broken.Load(), &stats)
}

// report says how a violation can be had again, with as few steps as can be.
func report(t *testing.T, seed uint64, v *Violation) {
	t.Helper()
	small := Shrink(Draw(seed), v, 300)
	var text strings.Builder
	for _, s := range small.Steps {
		fmt.Fprintf(&text, "\n    %v", s)
	}
	t.Errorf("%v\n%v\nwith these of its steps: %v%s\ngo test ./test/sim -run %s -v -seed %d -steps %s",
		v, Draw(seed), Run(small, false).Violation, text.String(), t.Name(), seed, numbers(small))
}

// numbers names the steps of a plan.
func numbers(p *Plan) string {
	all := make([]string, len(p.Steps))
	for i := range p.Steps {
		all[i] = strconv.Itoa(p.Steps[i].Index)
	}
	return strings.Join(append(all, "-"), ",")
}

// only gives a plan with some of its steps.
func only(t *testing.T, p *Plan, steps string) *Plan {
	t.Helper()
	if steps == "" {
		return p
	}
	wanted := strings.Split(steps, ",")
	p.Steps = slices.DeleteFunc(p.Steps, func(s Step) bool { return !slices.Contains(wanted, strconv.Itoa(s.Index)) })
	return p
}

// replay prints what happens in a run.
func replay(t *testing.T, p *Plan) {
	t.Helper()
	r := Run(p, true)
	t.Log(p)
	for _, line := range r.Trace {
		t.Log(line)
	}
	if r.Violation != nil {
		t.Fatal(r.Violation)
	}
}

func TestSameSeedSameTrace(t *testing.T) {
	for seed := uint64(1); seed <= 12; seed++ {
		a, b := Run(Draw(seed), true), Run(Draw(seed), true)
		for i := range min(len(a.Trace), len(b.Trace)) {
			if a.Trace[i] != b.Trace[i] {
				t.Fatalf("seed %d: line %d is\n%s\nthe second time\n%s", seed, i, a.Trace[i], b.Trace[i])
			}
		}
		if len(a.Trace) != len(b.Trace) || a.Stats != b.Stats {
			t.Fatalf("seed %d: %d lines and %v, the second time %d and %v", seed, len(a.Trace), &a.Stats, len(b.Trace), &b.Stats)
		}
	}
}

func TestPlansDiffer(t *testing.T) {
	kinds := map[Kind]bool{}
	for seed := uint64(1); seed <= 100; seed++ {
		for _, s := range Draw(seed).Steps {
			kinds[s.Kind] = true
		}
	}
	for _, k := range append(slices.Clone(everyKind), Write, Delete, Read, ReadQuorum, Recreate) {
		if !kinds[k] {
			t.Errorf("no plan of 100 has a step %q", k)
		}
	}
}
