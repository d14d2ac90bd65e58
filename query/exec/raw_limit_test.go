package exec_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/varvedb/varve/query/exec/exectest"
	"github.com/varvedb/varve/query/plan"
)

// rowsOf gives the rows of an answer of one series.
func rowsOf(t *testing.T, q string, sh shard) []string {
	t.Helper()
	out, err := tryRun(t, t.Context(), q, plan.Options{Now: now}, sh)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return strings.Split(strings.TrimSpace(out), " [")[1:] // what is before names the columns
}

func TestFirstRowsOfManySeriesAreThoseOfAll(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var lines []string
	for i := range 1300 {
		tags := ""
		if r.IntN(10) > 0 {
			tags = fmt.Sprintf(",z=%d", r.IntN(3))
		}
		for range 1 + r.IntN(3) {
			field := fmt.Sprintf("f=%d", r.IntN(100))
			if r.IntN(4) == 0 {
				field = "other=1"
			}
			if r.IntN(2) == 0 {
				field += fmt.Sprintf(",text=\"%d\"", r.IntN(3))
			}
			lines = append(lines, fmt.Sprintf("m,a=%05d%s %s %d", (i*7919)%100003, tags, field, r.IntN(40)))
		}
	}
	sh := oneShard(t, exectest.Options{}, lines...)
	// What orders these rows is their time, and then the tag whose name comes first.
	for _, q := range []string{
		"SELECT a, f FROM m", "SELECT a, f FROM m ORDER BY time DESC", "SELECT a, f FROM m WHERE f > 97",
		"SELECT a, text, f FROM m WHERE time >= 7 AND time < 30", "SELECT a, f FROM m WHERE f > 1000",
	} {
		all := rowsOf(t, q, sh)
		if len(all) == 0 != strings.Contains(q, "1000") {
			t.Fatalf("%s gave %d rows", q, len(all))
		}
		for _, n := range []int{1, 2, 17, 100, 1200, 3000} {
			want := all[:min(n, len(all))]
			if got := rowsOf(t, fmt.Sprintf("%s LIMIT %d", q, n), sh); !slices.Equal(got, want) {
				t.Errorf("%s LIMIT %d gave %d rows that are not the first %d of all: %.200q, not %.200q", q, n, len(got), len(want), got, want)
			}
		}
	}
	// These are equal in more than that, so any order will do, but the same for
	// each page.
	for _, q := range []string{"SELECT f FROM m", "SELECT * FROM m", "SELECT text, f FROM m ORDER BY time DESC"} {
		all := rowsOf(t, q, sh)
		pages := rowsOf(t, q+" LIMIT 600", sh)
		if len(pages) != 600 {
			t.Fatalf("%s LIMIT 600 gave %d rows", q, len(pages))
		}
		for i := range pages {
			if timeOf(pages[i]) != timeOf(all[i]) {
				t.Fatalf("%s: row %d is %s, of all it is %s", q, i, pages[i], all[i])
			}
		}
		for at := 0; at < len(pages); at += 100 {
			if page := rowsOf(t, fmt.Sprintf("%s LIMIT 100 OFFSET %d", q, at), sh); !slices.Equal(page, pages[at:at+100]) {
				t.Errorf("%s: the page at %d is not what a longer one has there", q, at)
			}
		}
	}
}

func timeOf(row string) string { return strings.Fields(row)[0] }
