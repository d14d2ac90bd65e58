package lineprotocol

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
)

// mutate gives a body of lines, some with a byte changed, added or missing.
func mutate(rng *rand.Rand) []byte {
	const special = "\\\",= \n\t#v1i.-e0tFux9\r\x00\xff"
	var lines []string
	for _, s := range waysSeeds {
		lines = append(lines, strings.Split(s, "\n")...)
	}
	var body []byte
	for range 1 + rng.IntN(6) {
		line := []byte(lines[rng.IntN(len(lines))])
		for range rng.IntN(3) {
			if len(line) == 0 {
				break
			}
			at := rng.IntN(len(line))
			c := special[rng.IntN(len(special))]
			switch rng.IntN(3) {
			case 0:
				line[at] = c
			case 1:
				line = append(line[:at], line[at+1:]...)
			case 2:
				line = append(line[:at], append([]byte{c}, line[at:]...)...)
			}
		}
		body = append(append(body, line...), '\n')
	}
	return body
}

func TestWaysAgreeOnMutatedLines(t *testing.T) {
	rng := seeded.Rand(t)
	precisions := []Precision{Nanosecond, Microsecond, Millisecond, Second, Minute, Hour}
	for range 2000 {
		body := mutate(rng)
		checkWays(t, body, Options{Precision: precisions[rng.IntN(len(precisions))], Now: testNow})
		for _, line := range strings.Split(string(body), "\n") {
			checkLibrary(t, []byte(line))
		}
	}
}
