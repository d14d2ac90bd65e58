package ctl

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

// topText is how much of a statement is shown.
const topText = 100

// costs is what queries may be sorted by.
var costs = map[string]func(q *adminapi.Query) int64{
	"memory": func(q *adminapi.Query) int64 { return q.Memory },
	"points": func(q *adminapi.Query) int64 { return q.Points },
	"time":   func(q *adminapi.Query) int64 { return int64(q.Age) },
	"busy":   func(q *adminapi.Query) int64 { return int64(q.Busy) },
}

var topCommand = &command{
	name: "top", arguments: "[--sort memory|points|time|busy]",
	help: "show the queries that run on all nodes, those that cost the most first\n" +
		"Memory is what a query holds at the node that runs it; points and series are what\n" +
		"it has read on all nodes, busy is for how long shards have worked for it.\n" +
		"KILL QUERY id ON \"node\" ends one.",
	setup: func(s *session) func(context.Context) error {
		by := s.flags.String("sort", "memory", "the cost that counts: memory, points, time or busy")
		return func(ctx context.Context) error { return s.top(ctx, *by) }
	},
}

func (s *session) top(ctx context.Context, by string) error {
	cost := costs[by]
	if cost == nil {
		return fmt.Errorf("--sort: %q is none of memory, points, time, busy", by)
	}
	var r adminapi.Queries
	if err := s.get(ctx, "/queries", &r); err != nil {
		return err
	}
	slices.SortStableFunc(r.Queries, func(a, b adminapi.Query) int {
		return cmp.Or(cmp.Compare(cost(&b), cost(&a)), cmp.Compare(b.Age, a.Age))
	})
	if s.json {
		return s.printJSON(r)
	}
	t := newTable(s.out)
	fmt.Fprintln(t, "ID\tNode\tUser\tDatabase\tTime\tMemory\tSeries\tPoints\tRows\tBusy\tQuery")
	for i := range r.Queries {
		q := &r.Queries[i]
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", q.ID, q.Host, cmp.Or(q.User, "-"), cmp.Or(q.Database, "-"),
			q.Age.Round(time.Millisecond), size(q.Memory), q.Series, q.Points, q.Rows, q.Busy.Round(time.Millisecond), oneLine(q.Text, topText))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return s.silent(r.Lacking)
}

// silent says which nodes did not answer.
func (s *session) silent(nodes []string) error {
	if len(nodes) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(s.errs, "No answer from %s: what is there is not shown.\n", strings.Join(nodes, ", "))
	return err
}

// oneLine gives the beginning of a text, on one line.
func oneLine(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "..."
	}
	return text
}
