//go:build mutants

package tsm

import (
	"testing"

	"github.com/varvedb/varve/internal/mutant"
)

// A test of replicas is worth what it finds: each rule that it is there for is
// broken in turn.
func TestReplicasTestFindsPlantedBugs(t *testing.T) {
	if !mutant.Enabled {
		t.Skip("nothing can be planted")
	}
	defer mutant.Plant("")
	const seeds = 400
	for _, bug := range []mutant.Bug{
		mutant.VersionsDroppedEarly, mutant.TombstoneForgottenEarly, mutant.PulledTwice,
		mutant.ArrivalOrder, mutant.SnapshotClaimsLog, mutant.SnapshotWithoutDeletes,
	} {
		mutant.Plant(bug)
		found := false
		for seed := uint64(1); seed <= seeds && !found; seed++ {
			if _, err := runReplicas(seed, 120); err != nil {
				t.Logf("found %q with seed %d: %.200v", string(bug), seed, err)
				found = true
			}
		}
		if !found {
			t.Errorf("not found with %d seeds: %s", seeds, bug)
		}
	}
}
