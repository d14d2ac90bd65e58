package ctl

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/varvedb/varve/coordinator/admin/adminapi"
)

var continuousCommand = &command{
	name: "continuous", help: "show how the continuous queries fare\n" +
		"Lag is for how long a query has been due; it grows while a query fails, and\n" +
		"what was missed is caught up.",
	setup: func(s *session) func(context.Context) error { return s.continuous },
}

func (s *session) continuous(ctx context.Context) error {
	var r adminapi.Continuous
	if err := s.get(ctx, "/continuous", &r); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(r)
	}
	fmt.Fprintf(s.out, "Run by: %s\n\n", cmp.Or(r.Runner, "no node"))
	t := newTable(s.out)
	fmt.Fprintln(t, "Database\tName\tLast Run\tDone Until\tLag\tPoints\tLast Error")
	for _, q := range r.Queries {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", q.Database, q.Name, moment(q.LastRun), moment(q.Until),
			q.Lag.Round(time.Second), q.Points, cmp.Or(strings.ReplaceAll(q.Error, "\n", " "), "-"))
	}
	return t.Flush()
}
