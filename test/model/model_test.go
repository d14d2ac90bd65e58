package model

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	longFlag  = flag.Bool("long", false, "also run the models that take minutes and gigabytes")
	traceFlag = flag.Bool("trace", false, "print the counter-example of every mistake")
)

// run is one model with its switches.
type run struct {
	name    string
	model   string
	defines string
	cc      string // switches of the checker when it is compiled
	long    bool   // takes minutes
}

// Parts of defines: only owner 0 writes files; writes instead of a delete; one
// order of versions; owner 1 loses its disk.
const (
	small  = "-DONE -DNOTRIM -DCRASHES=0"
	writes = "-DDELI=3 -DWR=7"
	in123  = "-DP0=1 -DP1=2 -DP2=3"
	in132  = "-DP0=1 -DP1=3 -DP2=2"
	in231  = "-DP0=2 -DP1=3 -DP2=1"
	loses  = "-DLOSSES=1 -DCRASHES=0"
	// Breadth first finds the shortest counter-example.
	breadth = "-DBFS -DMEMLIM=4000"
	deep    = "-DHC4 -DMEMLIM=6000" // hashes instead of states: a tiny chance to miss one
)

// sound are runs in which no promise may be broken.
var sound = []run{
	{name: "move", model: "move.pml"},
	{name: "move at level one", model: "move.pml", defines: "-DONE", long: true},
	{name: "mark", model: "mark.pml"},
	{name: "write and delete", model: "varve.pml", defines: "-DK=2 -DWR=1 -DDELI=1 -DONE -DP0=1 -DP1=2", cc: deep},
	{name: "delete and write", model: "varve.pml", defines: "-DK=2 -DWR=1 -DDELI=1 -DONE -DP0=2 -DP1=1", cc: deep},
	{name: "write, write, delete without a crash", model: "varve.pml", defines: small + " " + in123, cc: deep},
	{name: "write, delete, write without a crash", model: "varve.pml", defines: small + " " + in132, cc: deep},
	{name: "three writes without a crash", model: "varve.pml", defines: small + " " + writes + " " + in231, cc: deep, long: true},
	{name: "write, write, delete, one crash", model: "varve.pml", defines: "-DONE " + in123, cc: deep, long: true},
	{name: "write, delete, write, one crash", model: "varve.pml", defines: "-DONE " + in132, cc: deep, long: true},
	{name: "three writes, one crash", model: "varve.pml", defines: "-DONE " + writes + " " + in231, cc: deep, long: true},
	{name: "write, write, delete, one disk lost", model: "varve.pml", defines: loses + " -DONE " + in123, cc: deep, long: true},
}

// planted are runs that must break a promise.
var planted = []run{
	{name: "floor forgets what is not durable", model: "varve.pml", defines: "-DSHORT -DV_NOPEND", cc: breadth},
	{name: "no fence", model: "varve.pml", defines: "-DSHORT -DV_NOFENCE", cc: breadth},
	{name: "versions dropped by the own clock", model: "varve.pml", defines: "-DSHORT -DV_DROPEARLY " + small + " " + writes + " " + in123, cc: breadth},
	{name: "delete forgotten when all have it", model: "varve.pml", defines: "-DSHORT -DV_FORGETEARLY", cc: breadth},
	{name: "applied before the sync", model: "varve.pml", defines: "-DSHORT -DV_APPLEARLY", cc: breadth},
	{name: "delete applied before it is durable", model: "varve.pml", defines: "-DSHORT -DV_TOMBPEND", cc: breadth},
	{name: "clock restored from the log only", model: "varve.pml", defines: "-DSHORT -DV_HLCTEXT", cc: breadth},
	{name: "only older files decide about versions", model: "varve.pml", defines: "-DSHORT -DV_COLTEXT " + small + " " + writes + " " + in123, cc: breadth},
	{name: "compaction does not look at neighbours", model: "varve.pml", defines: "-DSHORT -DV_COLTEXT2 " + small + " " + writes + " " + in123, cc: breadth},
	{name: "memory does not keep a delete", model: "varve.pml", defines: "-DSHORT -DV_FORGETMEM " + small + " " + in123, cc: breadth},
	{name: "a file without versions is older than any delete", model: "varve.pml", defines: "-DSHORT -DV_TOMBMID " + small + " " + in132, cc: breadth},
	{name: "replay applies what is in files", model: "varve.pml", defines: "-DV_REPLAYDUP -DONE " + writes + " " + in231, cc: deep, long: true},
	{name: "a lost disk comes back as the same owner", model: "varve.pml", defines: "-DSHORT -DV_LOSTEXT " + loses + " " + in123, cc: breadth},
	{name: "a copy claims what is in the log", model: "varve.pml", defines: "-DSHORT -DV_SNAPSET " + loses + " " + in123, cc: breadth},
	{name: "a copy lacks the deletes", model: "varve.pml", defines: "-DSHORT -DV_SNAPTOMB " + loses + " " + in123, cc: breadth},
	{name: "a copy has a clock of its own", model: "varve.pml", defines: "-DSHORT -DV_SNAPHLC " + loses + " " + in132, cc: breadth},
	{name: "a copy takes over the frontier", model: "varve.pml", defines: "-DSHORT -DV_SNAPFR " + loses + " " + in123, cc: breadth},
	{name: "a move as drafted", model: "move.pml", defines: "-DV_TEXT", cc: breadth},
	{name: "a move as drafted at level one", model: "move.pml", defines: "-DV_TEXT -DONE", cc: breadth},
	{name: "owners do not compare revisions", model: "move.pml", defines: "-DV_NOREV", cc: breadth},
	{name: "one quorum while an owner leaves", model: "move.pml", defines: "-DV_NOJOINT", cc: breadth},
	{name: "an owner leaves without a last comparison", model: "move.pml", defines: "-DV_NOFINAL", cc: breadth},
	{name: "an owner leaves without a last comparison at level one", model: "move.pml", defines: "-DV_NOFINAL -DONE", cc: breadth},
	{name: "marked owners do not count for a quorum", model: "mark.pml", defines: "-DV_NOTCOUNTED", cc: breadth},
}

func TestModelsKeepTheirPromises(t *testing.T) {
	needTools(t)
	for _, r := range sound {
		t.Run(r.name, func(t *testing.T) {
			if c := r.check(t); c.broken {
				t.Errorf("a promise is broken:\n%s", r.trace(t, c))
			}
		})
	}
}

func TestPlantedMistakesAreFound(t *testing.T) {
	needTools(t)
	found, all := 0, 0
	for _, r := range planted {
		t.Run(r.name, func(t *testing.T) {
			c := r.check(t)
			all++
			if !c.broken {
				t.Error("no promise is broken")
				return
			}
			found++
			if *traceFlag {
				t.Log(r.trace(t, c))
			}
		})
	}
	t.Logf("figure: spin: found / planted mistakes: %d / %d", found, all)
}

// needTools skips where spin or a C compiler is missing.
func needTools(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"spin", "cc"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no model is checked: %v (Debian packages spin and gcc)", err)
		}
	}
}

// checked is what a run found.
type checked struct {
	dir    string
	broken bool
}

var (
	errorsLine = regexp.MustCompile(`depth reached (\d+).*errors: (\d+)`)
	statesLine = regexp.MustCompile(`(\S+) states, stored`)
)

// check builds and runs a model.
func (r *run) check(t *testing.T) checked {
	t.Helper()
	if r.long && !*longFlag {
		t.Skip("takes minutes: -long")
	}
	start := time.Now()
	dir := t.TempDir()
	source, err := os.ReadFile(r.model)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "m.pml"), source, 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, dir, "spin", append(append([]string{"-a"}, strings.Fields(r.defines)...), "m.pml")...)
	optimize := "-O2"
	if strings.Contains(r.cc, "-DBFS") {
		optimize = "-O1" // short searches: compiling takes longer
	}
	flags := []string{optimize, "-w", "-DSAFETY", "-DVECTORSZ=2048", "-DNOFAIR"}
	command(t, dir, "cc", append(append(flags, strings.Fields(r.cc)...), "-o", "pan", "pan.c")...)
	out := command(t, dir, "./pan", "-E", "-m200000", "-w22")
	result, states := errorsLine.FindSubmatch(out), statesLine.FindSubmatch(out)
	if result == nil || states == nil {
		t.Fatalf("pan says\n%s", out)
	}
	broken := string(result[2]) != "0"
	for _, sign := range []string{"out of memory", "search depth too small", "search not completed"} {
		if !broken && bytes.Contains(bytes.ToLower(out), []byte(sign)) {
			t.Fatalf("not all states were seen: %s\n%s", sign, out)
		}
	}
	t.Logf("%s states, depth %s, errors %s, %.1fs", states[1], result[1], result[2], time.Since(start).Seconds())
	return checked{dir, broken}
}

// trace gives the counter-example in words.
func (r *run) trace(t *testing.T, c checked) string {
	t.Helper()
	out := command(t, c.dir, "spin", append(append([]string{"-t", "-T"}, strings.Fields(r.defines)...), "m.pml")...)
	words := regexp.MustCompile(`(?m)^ *(spin: trail|#processes|timeout|[a-z]\w*(\[\d+\])? = ).*\n`)
	return string(words.ReplaceAll(out, nil))
}

// command runs a tool. pan's exit status says nothing.
func command(t *testing.T, dir, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil && name != "./pan" && !strings.Contains(strings.Join(args, " "), "-t -T") {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return out
}
