package answers

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varvedb/varve/internal/seeded"
	"github.com/varvedb/varve/query"
	"github.com/varvedb/varve/query/querytest"
)

func TestScriptsHaveTheSameAnswersEverywhere(t *testing.T) {
	files, err := filepath.Glob("../../query/querytest/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, p := range places(seeded.Rand(t)) {
		t.Run(p.name, func(t *testing.T) {
			for _, file := range files {
				t.Run(filepath.Base(file), func(t *testing.T) { querytest.RunOn(t, file, p.name, p.open(t), p.nodes > 1) })
			}
		})
	}
}

// The same rows, written in other batches and another order, have the same
// answers in all places.
func TestRandomStatementsHaveTheSameAnswersEverywhere(t *testing.T) {
	g := querytest.Generator{Rand: seeded.Rand(t)}
	for range 3 {
		lines := g.Lines(1 + g.IntN(200))
		whole := place{"whole", 1, 1, func(*cluster) {}}.open(t)
		if err := whole.Write("d", "", []byte(strings.Join(lines, "\n"))); err != nil {
			t.Fatal(err)
		}
		all := places(g.Rand)
		cut := make([]*cluster, len(all))
		for i, p := range all {
			cut[i] = p.open(t)
			cut[i].shards = []time.Duration{0, time.Hour, 2 * time.Hour}[g.IntN(3)]
			g.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
			for n := 0; n < len(lines); {
				batch := min(1+g.IntN(50), len(lines)-n)
				if err := cut[i].Write("d", "", []byte(strings.Join(lines[n:n+batch], "\n"))); err != nil {
					t.Fatal(err)
				}
				n += batch
			}
		}
		for range 100 {
			r := query.Request{Text: g.Statement(), Database: "d", Now: querytest.Now}
			want := querytest.Answer(whole, r)
			for i, p := range all {
				if got := querytest.Answer(cut[i], r); !querytest.Same(r.Text, got, want) {
					t.Fatalf("%s\n%s, shards of %s, %d rows\ngot\n%swant\n%s", r.Text, p.name, cut[i].shards, len(lines), got, want)
				}
			}
		}
	}
}
