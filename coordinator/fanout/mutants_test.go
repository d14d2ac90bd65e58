//go:build mutants

package fanout

import (
	"testing"

	"github.com/varvedb/varve/internal/mutant"
	"github.com/varvedb/varve/internal/seeded"
)

func TestPlantedBugsAreFound(t *testing.T) {
	defer mutant.Plant("")
	for _, bug := range []mutant.Bug{mutant.JoinerCounts, mutant.HalfIsQuorum, mutant.RestampedTooSoon, mutant.LocalAlwaysCounts} {
		mutant.Plant(bug)
		if err := sample(seeded.Rand(t), 100_000); err == nil {
			t.Errorf("not found: %s", bug)
		} else {
			t.Logf("%s: %v", bug, err)
		}
	}
}
