package querytest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/seeded"
)

// An answer must not depend on how the rows were cut into shards and granules,
// nor on whether statistics were used, nor on the order in which rows arrived.
func TestAnswersDoNotDependOnWhereTheRowsAre(t *testing.T) {
	g := Generator{seeded.Rand(t)}
	answered := 0
	for range 12 {
		lines := g.Lines(1 + g.IntN(120))
		whole := newSession(t, Options{})
		if err := whole.db.Write("d", "", []byte(strings.Join(lines, "\n"))); err != nil {
			t.Fatal(err)
		}
		cuts := []Options{
			{NoStats: true},
			{GranuleRows: 1 + g.IntN(5)},
			{ShardDuration: time.Duration(20+g.IntN(200)) * time.Minute, GranuleRows: 1 + g.IntN(20)},
			{ShardDuration: time.Duration(1+g.IntN(60)) * time.Minute, NoStats: true},
		}
		cut := make([]*session, len(cuts))
		for i, opt := range cuts {
			cut[i] = newSession(t, opt)
			g.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
			for n := 0; n < len(lines); {
				batch := min(1+g.IntN(30), len(lines)-n)
				if err := cut[i].db.Write("d", "", []byte(strings.Join(lines[n:n+batch], "\n"))); err != nil {
					t.Fatal(err)
				}
				n += batch
			}
		}
		for range 30 {
			c := command{verb: "query", args: map[string]string{"db": "d"}, input: g.Statement()}
			want := whole.run(c)
			if !strings.Contains(want, "error:") {
				answered++
			}
			for i := range cut {
				if got := cut[i].run(c); !Same(c.input, got, want) {
					t.Errorf("%s\n%+v of %d rows\ngot\n%s\nwant\n%s", c.input, cuts[i], len(lines), differing(got, want), differing(want, got))
				}
				if t.Failed() {
					return
				}
			}
		}
	}
	if answered < 150 {
		t.Errorf("only %d statements had an answer", answered)
	}
}

// differing gives the beginning of what comes after the lines that two answers
// begin with both, and those lines' number.
func differing(a, b string) string {
	x, y := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	n := 0
	for n < min(len(x), len(y)) && x[n] == y[n] {
		n++
	}
	return fmt.Sprintf("(after %d lines of %d)\n%s", n, len(x), strings.Join(x[n:min(n+8, len(x))], ""))
}
