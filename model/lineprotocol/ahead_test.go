package lineprotocol

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
)

// The body has enough series to be looked up ahead, in no order, with new ones
// and lines of other kinds between.
func TestLinesInAnyOrderAreTheirSeries(t *testing.T) {
	rng := seeded.Rand(t)
	var body bytes.Buffer
	for i := range minAheadKeys + 100 {
		fmt.Fprintf(&body, "m,h=h%d v=%di %d\n", i, i, i)
	}
	others := []string{"# comment", "", "m,a=b\\ c,h=1 v=1i 5", "m,h= v=1i", " m,h=h7 v=1i 5", "m,h=h8  v=2i 5", "other v=1"}
	for i := range 5000 {
		switch rng.IntN(12) {
		case 0:
			fmt.Fprintf(&body, "m,h=new%d v=1i %d\n", rng.IntN(50), i)
		case 1:
			fmt.Fprintf(&body, "m,h=h%d s=\"a\nm,h=h%d v=1i 5\n\" %d\n", rng.IntN(100), rng.IntN(100), i)
		case 2:
			fmt.Fprintln(&body, others[rng.IntN(len(others))])
		default:
			fmt.Fprintf(&body, "m,h=h%d v=%di %d\n", rng.IntN(minAheadKeys+100), i, i)
		}
	}
	opt := Options{Precision: Nanosecond, Now: testNow}
	want := strings.Split(parseByReference(body.Bytes(), opt, false).String(), "\n")
	p := testParser(nil)
	for range 2 {
		got := strings.Split(parse(t, p, body.Bytes(), opt).String(), "\n")
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("line %d of the answer is %s, want %s", i, got[i], want[i])
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d lines in the answer, want %d", len(got), len(want))
		}
	}
}
