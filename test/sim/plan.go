package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/varvedb/varve/coordinator/fanout"
)

// Plan is a run: what the cluster is like, and what happens to it and when. It
// follows from a seed; a shrunk one has fewer steps.
type Plan struct {
	Seed     uint64
	Machines int
	Factor   int
	Shards   int
	Length   time.Duration // of the part with faults
	LogCap   time.Duration // an owner that is away for longer is copied anew
	Replace  time.Duration // ... and its place taken by another
	Keep     float64       // the part of unsynced changes that a power cut leaves
	Loss     float64
	Double   float64
	Straggle float64
	Delay    time.Duration
	Offsets  []time.Duration // of the clocks
	Rates    []float64
	Steps    []Step
}

// Kind is what a Step does.
type Kind string

// The kinds of steps.
const (
	Write      Kind = "write"
	Delete     Kind = "delete"
	Read       Kind = "read"
	ReadQuorum Kind = "read at quorum"
	Crash      Kind = "crash"
	CrashInIO  Kind = "crash in the middle of a write"
	Wipe       Kind = "wipe"
	Stop       Kind = "stop"
	SlowDisk   Kind = "slow disk"
	Cut        Kind = "cut one from all"
	CutOneWay  Kind = "cut one way"
	Split      Kind = "split"
	CutMeta    Kind = "cut from metadata"
	MetaAway   Kind = "metadata away"
	Jump       Kind = "clock jumps"
	Move       Kind = "move"
	Recreate   Kind = "drop and create again"
)

// Step is one thing that happens.
type Step struct {
	Index   int // in the plan as drawn
	At      time.Duration
	Kind    Kind
	Machine int // from 1
	Other   int
	Shard   int // index
	For     time.Duration
	Level   fanout.Level
	Number  uint64 // for what else is to be drawn
}

func (s Step) String() string {
	t := fmt.Sprintf("%8v %s machine %d", s.At.Round(time.Millisecond), s.Kind, s.Machine)
	switch s.Kind {
	case Write, Delete:
		t += fmt.Sprintf(" shard %d at %s", s.Shard, levelName(s.Level))
	case Read, ReadQuorum, Recreate:
		t += fmt.Sprintf(" shard %d", s.Shard)
	case CutOneWay:
		t += fmt.Sprintf(" to %d for %v", s.Other, s.For)
	case Split:
		t += fmt.Sprintf(" and those in %b for %v", s.Number&255, s.For)
	case Move:
		t += fmt.Sprintf(" shard %d to %d", s.Shard, s.Other)
	default:
		t += fmt.Sprintf(" for %v", s.For)
	}
	return t
}

// String says what was drawn.
func (p *Plan) String() string {
	offsets := make([]string, len(p.Offsets))
	for i, o := range p.Offsets {
		offsets[i] = o.Round(time.Millisecond).String()
		if r := (p.Rates[i] - 1) * 1e6; r != 0 {
			offsets[i] += fmt.Sprintf("(%+.0fppm)", r)
		}
	}
	return fmt.Sprintf("seed %d: %d nodes, replication %d, %d shards, %v with faults, log cap %v, replace after %v, loss %.2f, double %.2f, straggle %.2f, delay %v, unsynced kept %.2f, clocks %s, %d steps",
		p.Seed, p.Machines, p.Factor, p.Shards, p.Length, p.LogCap, p.Replace, p.Loss, p.Double, p.Straggle, p.Delay, p.Keep, strings.Join(offsets, " "), len(p.Steps))
}

// Draw gives the plan of a seed.
func Draw(seed uint64) *Plan {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := &Plan{
		Seed:     seed,
		Machines: pick(rng, 3, 3, 3, 4, 4, 5, 6, 7),
		Factor:   pick(rng, 1, 2, 2, 3, 3, 3, 3),
		Shards:   pick(rng, 1, 1, 2),
		Length:   time.Duration(pick(rng, 12, 18, 25)) * time.Second,
		LogCap:   time.Duration(pick(rng, 4, 8, 20)) * time.Second,
		Replace:  time.Duration(pick(rng, 6, 12, 60)) * time.Second,
		Keep:     pick(rng, 0, 0.5, 1),
		Loss:     pick(rng, 0, 0, 0.02, 0.15),
		Double:   pick(rng, 0, 0.02, 0.2),
		Straggle: pick(rng, 0, 0, 0.02, 0.1),
		Delay:    time.Duration(pick(rng, 2, 10, 50, 200)) * time.Millisecond,
	}
	odd := rng.IntN(3) == 0
	for range p.Machines {
		offset := time.Duration(rng.IntN(401)-200) * time.Millisecond
		rate := 1.0
		if odd && rng.IntN(3) == 0 {
			offset = drawOffset(rng)
		}
		if rng.IntN(6) == 0 {
			rate += (rng.Float64() - 0.5) / 100
		}
		p.Offsets = append(p.Offsets, offset)
		p.Rates = append(p.Rates, rate)
	}
	p.Steps = drawSteps(rng, p)
	return p
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// drawOffset gives one beyond the fence.
func drawOffset(rng *rand.Rand) time.Duration {
	d := time.Duration(600+rng.IntN(5000)) * time.Millisecond
	if rng.IntN(8) == 0 {
		d = time.Hour
	}
	if rng.IntN(2) == 0 {
		return -d
	}
	return d
}

// everyKind is the faults and changes, those that lead far more than once.
var everyKind = []Kind{Crash, Crash, CrashInIO, CrashInIO, Stop, SlowDisk, Cut, Cut, CutOneWay, Split, CutMeta, MetaAway, Move, Move, Wipe, Jump}

// themes are kinds that are bad together.
var themes = [][]Kind{
	{Move, Move, CutMeta, CutMeta, Cut},         // owners change unseen
	{Move, CutOneWay, CutOneWay, Stop, Crash},   // and cannot hear one another
	{Wipe, Cut, Split, SlowDisk},                // a copy begins while others are behind
	{Crash, CrashInIO, SlowDisk, CutOneWay},     // what was not durable yet
	{Jump, Jump, Stop, SlowDisk, Cut, CutMeta},  // versions out of order
	{Cut, Cut, Stop, Crash, CutMeta, CutOneWay}, // away for long
}

func drawSteps(rng *rand.Rand, p *Plan) []Step {
	var all []Step
	levels := []fanout.Level{pick(rng, fanout.Any, fanout.One, fanout.Quorum, fanout.All), fanout.One, fanout.Quorum}
	calm := rng.IntN(8) == 0
	until := func(every time.Duration, draw func(s *Step)) {
		for at := time.Second; ; {
			at += time.Duration(rng.ExpFloat64() * float64(every))
			if at > p.Length {
				return
			}
			s := Step{At: at, Machine: 1 + rng.IntN(p.Machines), Shard: rng.IntN(p.Shards), Number: rng.Uint64()}
			draw(&s)
			all = append(all, s)
		}
	}
	until(pick(rng, 150*time.Millisecond, 300*time.Millisecond, 600*time.Millisecond), func(s *Step) {
		s.Kind, s.Level = Write, pick(rng, levels...)
		if rng.IntN(7) == 0 {
			s.Kind = Delete
		}
	})
	until(400*time.Millisecond, func(s *Step) { s.Kind = pick(rng, Read, ReadQuorum) })
	if !calm {
		kinds := themes[rng.IntN(len(themes))]
		if rng.IntN(2) == 0 {
			// Some kinds, so that they can pile up.
			kinds = slices.Clone(everyKind)
			rng.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
			kinds = kinds[:2+rng.IntN(6)]
		}
		until(pick(rng, time.Second, 2*time.Second, 4*time.Second), func(s *Step) {
			s.Kind = pick(rng, kinds...)
			s.Other = 1 + rng.IntN(p.Machines)
			s.For = time.Duration(rng.ExpFloat64() * float64(pick(rng, 500*time.Millisecond, 3*time.Second, 8*time.Second)))
		})
	}
	if rng.IntN(4) == 0 {
		all = append(all, Step{At: p.Length / 2, Kind: Recreate, Shard: rng.IntN(p.Shards)})
	}
	slices.SortStableFunc(all, func(a, b Step) int { return int(a.At - b.At) })
	for i := range all {
		all[i].Index = i
	}
	return all
}
