package lineprotocol

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/model"
)

// TestNumbersAreExact compares with strconv, bit for bit.
func TestNumbersAreExact(t *testing.T) {
	rng := seeded.Rand(t)
	for range 100000 {
		var s string
		switch rng.IntN(4) {
		case 0:
			s = strconv.FormatFloat(math.Float64frombits(rng.Uint64()), "efg"[rng.IntN(3)], -1, 64)
		case 1:
			s = fmt.Sprintf("%.*f", rng.IntN(20), rng.NormFloat64()*math.Pow10(rng.IntN(20)))
		case 2:
			s = fmt.Sprintf("%d.%de%d", rng.Int64N(1<<rng.IntN(50)), rng.Int64N(1<<rng.IntN(50)), rng.IntN(60)-30)
		case 3:
			s = fmt.Sprintf("%d", int64(rng.Uint64()>>rng.IntN(64)))
			typ, bits, n := readNumber([]byte(s+"i,"), false)
			want, err := strconv.ParseInt(s, 10, 64)
			if err != nil || typ != model.Integer || int64(bits) != want || n != len(s)+1 {
				t.Fatalf("readNumber(%si) = %v %d, length %d", s, typ, int64(bits), n)
			}
		}
		want, err := strconv.ParseFloat(s, 64)
		typ, bits, n := readNumber([]byte(s+" "), false)
		if math.IsInf(want, 0) || math.IsNaN(want) || err != nil {
			if n != 0 {
				t.Fatalf("readNumber(%s) = %x, length %d, want it refused", s, bits, n)
			}
			continue
		}
		if typ != model.Float || bits != math.Float64bits(want) || n != len(s) {
			t.Fatalf("readNumber(%s) = %v %x, length %d, want %x", s, typ, bits, n, math.Float64bits(want))
		}
	}
}
