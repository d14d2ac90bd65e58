package hostile

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

var (
	heavy   = flag.Bool("heavy", false, "send the inputs that take long, too; needs root for a control group")
	varved  = flag.String("binary", "", "the varved to ask; built when empty, - is none")
	influxd = flag.String("influxd", "", "an influxd 1.8.10 that is sent the same and whose answers are printed")
	only    = flag.String("only", "", "a regular expression: only inputs whose number and name match it")
	table   = flag.String("table", "", "a file whose table is replaced by this run's, as docs/hostile.md")
)

// row is one input and what is expected of it.
type row struct {
	number int    // in the list of inputs; one number may have several rows
	input  string // what is sent
	// prepare makes what the input needs; its memory counts as had before.
	prepare func(*server)
	// send gives what came of it in a few words, as "413 Request Entity Too Large".
	send func(*server) string
	want string // a regular expression that matches Varve's answer
	// within is how long the answer may take; 0 is a minute. Time in which the
	// machine did something else does not count, up to a second.
	within time.Duration
	// flat says that memory may at no moment be more than maxGrowth above what it was.
	flat bool
	// heavy rows are sent only with -heavy: they take long or much.
	heavy bool
}

func (r row) name() string { return fmt.Sprintf("%d %s", r.number, r.input) }

// maxGrowth is how much more memory a server may hold after an input.
const maxGrowth = 64 << 20

// rows gives the whole table.
func rows() []row {
	return slices.Concat(bodies, lines, texts, answers, storms, outputs, protocols)
}

func TestHostileInputsAreRefusedAndForgotten(t *testing.T) {
	if !*heavy {
		t.Log("without -heavy (make hostile) the inputs that take long are left out")
	}
	var reports []report
	if *varved == "-" {
		for _, r := range selected(t) {
			reports = append(reports, report{row: r})
		}
		askInfluxDB(t, reports)
		return
	}
	s := startVarve(t)
	for _, r := range selected(t) {
		t.Run(r.name(), func(t *testing.T) {
			got := s.face(t, r)
			t.Log(got)
			reports = append(reports, report{row: r, varve: got})
			for _, problem := range got.problems(r) {
				t.Error(problem)
			}
		})
	}
	s.restart(t)
	if *influxd != "" {
		askInfluxDB(t, reports)
	}
	if *table != "" {
		if err := replaceTable(*table, reports); err != nil {
			t.Fatal(err)
		}
	}
}

// askInfluxDB sends the same to InfluxDB, whose answers are no errors.
func askInfluxDB(t *testing.T, reports []report) {
	s := startInfluxDB(t)
	for i := range reports {
		got := s.face(t, reports[i].row)
		t.Logf("InfluxDB: %s: %s", reports[i].name(), got)
		reports[i].influx = &got
	}
}

// selected gives the rows that the flags ask for.
func selected(t *testing.T) []row {
	pattern, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	var some []row
	for _, r := range rows() {
		if (*heavy || !r.heavy) && pattern.MatchString(r.name()) {
			some = append(some, r)
		}
	}
	return some
}

// TestEveryInputOfTheListIsThere keeps the table whole.
func TestEveryInputOfTheListIsThere(t *testing.T) {
	const inputs = 80
	seen := map[int]bool{}
	for _, r := range rows() {
		seen[r.number] = true
		if r.number < 1 || r.number > inputs || r.input == "" || r.send == nil {
			t.Errorf("row %q", r.name())
		}
		if _, err := regexp.Compile(r.want); err != nil || r.want == "" {
			t.Errorf("row %q expects %q: %v", r.name(), r.want, err)
		}
	}
	for n := 1; n <= inputs; n++ {
		if !seen[n] {
			t.Errorf("no row %d", n)
		}
	}
}

// scratch gives a new directory for a server.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Clean(dir)
}
