//go:build mutants

package sim

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/mutant"
)

var (
	mutantFlag   = flag.String("mutant", "", "plant only bugs whose text contains this")
	mutantsSeeds = flag.Uint64("mutant-seeds", 4000, "give up a planted bug after so many seeds")
)

// The simulator is worth what it finds: each rule is broken in turn.
func TestPlantedBugsAreFound(t *testing.T) {
	defer mutant.Plant("")
	found, planted, others := 0, 0, 0
	for _, bug := range bugs(t) {
		if !strings.Contains(string(bug), *mutantFlag) {
			continue
		}
		planted++
		if by := elsewhere[bug]; by != "" {
			others++
			t.Logf("left to the test of %s: %s", by, bug)
			continue
		}
		mutant.Plant(bug)
		start := time.Now()
		seed, v := find(bug, *mutantsSeeds)
		if v == nil {
			t.Errorf("NOT FOUND with %d seeds in %.1fs: %s", *mutantsSeeds, time.Since(start).Seconds(), bug)
			continue
		}
		found++
		t.Logf("found with seed %d in %.1fs: %s: %.160v", seed, time.Since(start).Seconds(), bug, v)
	}
	t.Logf("figure: simulator: found / planted bugs: %d / %d, and %d left to the tests of other packages", found, planted, others)
}

// elsewhere are bugs that thousands of seeds do not find, and the package whose
// test finds them: a joining owner must be the only holder, and be cut off; no
// granule here has as many rows as one that is copied.
var elsewhere = map[mutant.Bug]string{
	mutant.JoinerCounts:        "coordinator/fanout",
	mutant.CopiedFieldsSwapped: "tsm",
}

// known are seeds that have found what few seeds find; they are tried first, to
// save time. They mean nothing once plans are drawn differently.
var known = map[mutant.Bug]uint64{
	mutant.WipedNodeTrusted: 1731,
	mutant.RevisionIgnored:  121,
}

// find runs seeds until one breaks a promise.
func find(bug mutant.Bug, seeds uint64) (seed uint64, v *Violation) {
	if seed = known[bug]; seed != 0 {
		if v = Run(Draw(seed), false).Violation; v != nil {
			return seed, v
		}
	}
	for seed = 1; seed <= seeds; seed++ {
		if v = Run(Draw(seed), false).Violation; v != nil {
			return seed, v
		}
	}
	return 0, nil
}

// bugs gives all that package mutant names.
func bugs(t *testing.T) []mutant.Bug {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../internal/mutant/mutant.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []mutant.Bug
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			for _, x := range v.Values {
				if lit, ok := x.(*ast.BasicLit); ok {
					text, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, mutant.Bug(text))
				}
			}
		}
		return true
	})
	if len(all) == 0 {
		t.Fatal("package mutant names no bugs")
	}
	return all
}
